/** Figures of a sending peer connection, from two getStats() reports. Pure. */

type Entry = Record<string, unknown> & { id: string; type: string };

export interface SendTotals {
  timestampMs: number;
  bytes: number;
}

export interface PublishStats {
  bitrateBps: number | null;
  framesPerSecond: number | null;
  width: number;
  height: number;
  /** Encodings that send a picture now, the largest first. */
  encodings: string[];
  codec: string | null;
  roundTripMs: number | null;
  lossRatio: number | null;
  /** What holds the picture back: "none", "cpu", "bandwidth", "other". */
  limitation: string;
}

const num = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);
const max = (values: number[]): number | null => (values.length === 0 ? null : Math.max(...values));
const numbers = (entries: Entry[], name: string): number[] =>
  entries.flatMap((entry) => (typeof entry[name] === "number" ? [entry[name]] : []));

export function samplePublisher(
  report: Iterable<Entry>,
  last: SendTotals | null,
): { stats: PublishStats; totals: SendTotals } {
  const entries = [...report];
  const outbound = entries.filter((entry) => entry.type === "outbound-rtp");
  const video = outbound.filter((entry) => entry.kind === "video");
  const remote = entries.filter((entry) => entry.type === "remote-inbound-rtp");
  const totals = {
    timestampMs: num(outbound[0]?.timestamp),
    bytes: outbound.reduce((total, entry) => total + num(entry.bytesSent), 0),
  };
  const seconds = last === null ? 0 : (totals.timestampMs - last.timestampMs) / 1000;
  const sending = video
    .filter((entry) => num(entry.framesPerSecond) > 0)
    .sort((a, b) => num(b.frameHeight) - num(a.frameHeight));
  const top = sending[0];
  const mime = entries.find((entry) => entry.id === (top ?? video[0])?.codecId)?.mimeType;
  const limited = video.map((entry) => entry.qualityLimitationReason).find((why) => typeof why === "string" && why !== "none");
  const trips = numbers(remote, "roundTripTime");
  return {
    totals,
    stats: {
      bitrateBps: last !== null && seconds > 0 ? ((totals.bytes - last.bytes) * 8) / seconds : null,
      framesPerSecond: max(numbers(sending, "framesPerSecond")),
      width: num(top?.frameWidth),
      height: num(top?.frameHeight),
      encodings: sending.flatMap((entry) => (typeof entry.rid === "string" ? [entry.rid] : [])),
      codec: typeof mime === "string" ? (mime.split("/")[1] ?? null) : null,
      roundTripMs: trips.length === 0 ? null : Math.max(...trips) * 1000,
      lossRatio: max(numbers(remote, "fractionLost")),
      limitation: typeof limited === "string" ? limited : "none",
    },
  };
}
