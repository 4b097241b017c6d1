/** Figures of a receiving peer connection, from two getStats() reports. Pure. */

import type { PlayerStats } from "./player";

type Entry = Record<string, unknown> & { id: string; type: string };

/** Running totals that the next sample is compared with. */
export interface ReceiveTotals {
  timestampMs: number;
  bytes: number;
  packets: number;
  lost: number;
  jitterBufferDelayS: number;
  jitterBufferEmitted: number;
  frames: number;
}

export interface ReceiveSample {
  stats: PlayerStats;
  totals: ReceiveTotals;
}

const num = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);
const orNull = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;

function codecName(byId: Map<string, Entry>, inbound: Entry | undefined): string | null {
  const mime = byId.get(typeof inbound?.codecId === "string" ? inbound.codecId : "")?.mimeType;
  return typeof mime === "string" ? (mime.split("/")[1] ?? null) : null;
}

/** The nominated pair: by transport where there is one, by flags in Firefox, which has no transport entry. */
function selectedPair(entries: Entry[], byId: Map<string, Entry>): Entry | undefined {
  const transport = entries.find((entry) => entry.type === "transport");
  const id = transport?.selectedCandidatePairId;
  if (typeof id === "string") return byId.get(id);
  return entries.find((entry) => entry.type === "candidate-pair" && entry.nominated === true);
}

export function sampleReceiver(report: Iterable<Entry>, last: ReceiveTotals | null): ReceiveSample {
  const entries = [...report];
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const inbound = entries.filter((entry) => entry.type === "inbound-rtp");
  const video = inbound.find((entry) => entry.kind === "video");
  const audio = inbound.find((entry) => entry.kind === "audio");
  // Latency is the picture's where there is one: the jitter buffers are kept in step by lip sync.
  const timed = video ?? audio;
  const sum = (name: string): number => inbound.reduce((total, entry) => total + num(entry[name]), 0);
  const totals: ReceiveTotals = {
    timestampMs: num(timed?.timestamp),
    bytes: sum("bytesReceived"),
    packets: sum("packetsReceived"),
    lost: sum("packetsLost"),
    jitterBufferDelayS: num(timed?.jitterBufferDelay),
    jitterBufferEmitted: num(timed?.jitterBufferEmittedCount),
    frames: num(video?.framesDecoded),
  };
  const pair = selectedPair(entries, byId);
  const roundTripMs = typeof pair?.currentRoundTripTime === "number" ? pair.currentRoundTripTime * 1000 : null;
  const since = last ?? { ...totals, timestampMs: 0, jitterBufferDelayS: 0, jitterBufferEmitted: 0 };
  const seconds = last === null ? 0 : (totals.timestampMs - last.timestampMs) / 1000;
  const emitted = totals.jitterBufferEmitted - since.jitterBufferEmitted;
  const bufferMs = emitted > 0 ? ((totals.jitterBufferDelayS - since.jitterBufferDelayS) / emitted) * 1000 : null;
  const lost = Math.max(0, totals.lost - since.lost);
  const expected = totals.packets - since.packets + lost;
  return {
    totals,
    stats: {
      mode: "webrtc",
      // Jitter buffer + half a round trip: the network's and the receiver's share; capture and encoding come on top.
      latencyMs: bufferMs === null ? null : bufferMs + (roundTripMs ?? 0) / 2,
      bitrateBps: seconds > 0 ? ((totals.bytes - since.bytes) * 8) / seconds : null,
      width: num(video?.frameWidth),
      height: num(video?.frameHeight),
      framesPerSecond: orNull(video?.framesPerSecond) ?? (seconds > 0 ? (totals.frames - since.frames) / seconds : null),
      videoCodec: codecName(byId, video),
      audioCodec: codecName(byId, audio),
      lossRatio: expected > 0 ? lost / expected : null,
      freezes: orNull(video?.freezeCount),
      droppedFrames: orNull(video?.framesDropped),
      roundTripMs,
    },
  };
}

/** A report as the array that `sampleReceiver` takes. */
export function entriesOf(report: RTCStatsReport): Entry[] {
  const entries: Entry[] = [];
  report.forEach((entry: Entry) => entries.push(entry));
  return entries;
}
