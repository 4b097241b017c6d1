/** How well hosts come through, from getStats() reports. Pure. */

export interface InboundTotals {
  received: number;
  lost: number;
}

interface Entry {
  type: string;
  mid?: string;
  packetsReceived?: number;
  packetsLost?: number;
}

/** Packets received and lost by mid. */
export function inboundTotals(entries: Iterable<Entry>): Map<string, InboundTotals> {
  const totals = new Map<string, InboundTotals>();
  for (const entry of entries) {
    if (entry.type !== "inbound-rtp" || entry.mid === undefined) continue;
    totals.set(entry.mid, { received: entry.packetsReceived ?? 0, lost: entry.packetsLost ?? 0 });
  }
  return totals;
}

/** Fraction of packets lost between two totals, 0..1; null where nothing was to come. */
export function lossBetween(before: InboundTotals | undefined, now: InboundTotals): number | null {
  const received = now.received - (before?.received ?? 0);
  const lost = Math.max(0, now.lost - (before?.lost ?? 0));
  return received + lost <= 0 ? null : lost / (received + lost);
}

/** 2 %: retransmission hides it. 8 %: it no longer does. */
export const rate = (loss: number): "good" | "fair" | "poor" => (loss < 0.02 ? "good" : loss < 0.08 ? "fair" : "poor");
