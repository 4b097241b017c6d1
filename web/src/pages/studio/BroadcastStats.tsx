import { bitrate } from "../../ui/format";
import type { PublishStats } from "./publishStats";

const LIMITS: Record<string, string> = { cpu: "this computer", bandwidth: "your upload", other: "something else" };

export function BroadcastStats({ stats }: { stats: PublishStats | null }) {
  if (stats === null) return null;
  const limit = LIMITS[stats.limitation];
  return (
    <dl className="publish-stats" data-testid="publish-stats">
      <Figure name="Bitrate" value={stats.bitrateBps === null ? "–" : bitrate(stats.bitrateBps)} />
      <Figure name="Picture" value={stats.height > 0 ? `${stats.height}p ${stats.codec ?? ""}` : "–"} />
      <Figure name="Frame rate" value={stats.framesPerSecond === null ? "–" : `${Math.round(stats.framesPerSecond)} fps`} />
      <Figure name="Encodings" value={stats.encodings.length > 0 ? stats.encodings.join(" ") : "1"} />
      <Figure name="Round trip" value={stats.roundTripMs === null ? "–" : `${Math.round(stats.roundTripMs)} ms`} />
      <Figure name="Loss" value={stats.lossRatio === null ? "–" : `${(stats.lossRatio * 100).toFixed(1)} %`} />
      {limit !== undefined && <Figure name="Held back by" value={limit} warn />}
    </dl>
  );
}

function Figure({ name, value, warn = false }: { name: string; value: string; warn?: boolean }) {
  return (
    <div className={warn ? "warn" : undefined}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
