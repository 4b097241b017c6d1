import { useEffect, useState } from "react";

import { entriesOf } from "../../player/webrtcStats";
import { inboundTotals, lossBetween, rate, type InboundTotals } from "../../stage/quality";
import type { Quality } from "./HostTile";
import type { StageHook } from "./useStage";

const EVERY_MS = 2000;

/** The connection of each other host, as it arrives here, by participant. */
export function useHostQuality({ state, tracks, peers }: StageHook): Map<string, Quality> {
  const [quality, setQuality] = useState(new Map<string, Quality>());
  useEffect(() => {
    if (state === "off") return;
    let before = new Map<string, InboundTotals>();
    const timer = setInterval(() => {
      const pc = peers().subscriber;
      if (pc === null) return;
      void pc.getStats().then((report) => {
        const now = inboundTotals(entriesOf(report));
        const byTrack = new Map(pc.getTransceivers().map((each) => [each.receiver.track, each.mid ?? ""]));
        const found = new Map<string, Quality>();
        for (const [participantId, owned] of tracks) {
          const losses = Object.values(owned).flatMap((track) => {
            const mid = byTrack.get(track) ?? "";
            const totals = now.get(mid);
            const loss = totals === undefined ? null : lossBetween(before.get(mid), totals);
            return loss === null ? [] : [loss];
          });
          if (losses.length > 0) found.set(participantId, rate(Math.max(...losses)));
        }
        before = now;
        setQuality(found);
      });
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, [state, tracks, peers]);
  return quality;
}
