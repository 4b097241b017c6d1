import { useEffect, useState } from "react";

import type { PlayerController, PlayerView } from "../../player/controller";
import { clock } from "../../ui/format";
import { LIVE_WITHIN_S, windowLengthS } from "./window";

interface Props {
  controller: PlayerController;
  view: PlayerView;
  startedAt: string | null;
}

/** The seek bar of a live stream: right is now. */
export function Timeline({ controller, view, startedAt }: Props) {
  const [lengthS, setLengthS] = useState(() => windowLengthS(startedAt, Date.now()));
  const [behindS, setBehindS] = useState(0);
  const [dragS, setDragS] = useState<number | null>(null);

  useEffect(() => {
    const timer = setInterval(() => {
      setLengthS(windowLengthS(startedAt, Date.now()));
      setBehindS(controller.behindS);
    }, 500);
    return () => clearInterval(timer);
  }, [controller, startedAt]);

  const shownS = dragS ?? (view.shifted ? behindS : 0);
  const commit = (): void => {
    if (dragS === null) return;
    setDragS(null);
    setBehindS(dragS);
    if (dragS < LIVE_WITHIN_S) controller.goLive();
    else void controller.seekBehind(dragS);
  };

  return (
    <div className="timeline">
      <input
        type="range"
        data-testid="timeline"
        aria-label="Position in the stream"
        aria-valuetext={shownS < LIVE_WITHIN_S ? "Live" : `${clock(shownS)} behind live`}
        min={-lengthS}
        max={0}
        step={1}
        value={-Math.min(shownS, lengthS)}
        onChange={(event) => setDragS(-Number(event.target.value))}
        onPointerUp={commit}
        onKeyUp={commit}
        onBlur={commit}
      />
      {shownS >= LIVE_WITHIN_S && <output>−{clock(shownS)}</output>}
    </div>
  );
}
