import { useEffect, useState } from "react";

import type { PlayerController } from "../../player/controller";
import type { PlayerView } from "../../player/view";
import type { PlayerStats } from "../../player/player";
import { bitrate } from "../../ui/format";

export function StatsOverlay({ controller, view }: { controller: PlayerController; view: PlayerView }) {
  const [stats, setStats] = useState<PlayerStats | null>(controller.stats);
  useEffect(() => {
    const timer = setInterval(() => setStats(controller.stats), 500);
    return () => clearInterval(timer);
  }, [controller]);
  return (
    <dl className="stats" data-testid="stats">
      {rows(stats, view).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

const or = (value: number | null, format: (n: number) => string): string => (value === null ? "–" : format(value));

function rows(stats: PlayerStats | null, view: PlayerView): [string, string][] {
  const mode = view.mode === "webrtc" ? "WebRTC" : view.mode === "hls" ? "HLS" : "–";
  if (stats === null) return [["Mode", mode]];
  const common: [string, string][] = [
    ["Mode", mode],
    ["Latency", or(stats.latencyMs, (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`))],
    ["Bitrate", or(stats.bitrateBps, bitrate)],
    ["Picture", stats.width > 0 ? `${stats.width} × ${stats.height}` : "–"],
    ["Frame rate", or(stats.framesPerSecond, (fps) => `${Math.round(fps)} fps`)],
    ["Codec", [stats.videoCodec, stats.audioCodec].filter((name) => name !== null).join(" + ") || "–"],
  ];
  if (stats.mode === "hls") return [...common, ["Dropped frames", or(stats.droppedFrames, String)]];
  return [
    ...common,
    ["Packet loss", or(stats.lossRatio, (ratio) => `${(ratio * 100).toFixed(1)} %`)],
    ["Freezes", or(stats.freezes, String)],
    ["Round trip", or(stats.roundTripMs, (ms) => `${Math.round(ms)} ms`)],
  ];
}
