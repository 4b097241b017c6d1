import { useEffect, useState } from "react";

import type { Thumbnail } from "../../api/types";
import type { PlayerController } from "../../player/controller";
import type { PlayerView } from "../../player/view";
import { clock } from "../../ui/format";
import { LIVE_WITHIN_S, thumbnailAt, windowLengthS } from "./window";

const KEY_STEPS_S: Partial<Record<string, number>> = {
  ArrowLeft: -10,
  ArrowDown: -10,
  ArrowRight: 10,
  ArrowUp: 10,
};

interface Props {
  controller: PlayerController;
  view: PlayerView;
  startedAt: string | null;
  /** In order of time. */
  thumbnails: Thumbnail[];
}

/** The seek bar of a live stream: right is now. */
export function Timeline({ controller, view, startedAt, thumbnails }: Props) {
  const [nowMs, setNowMs] = useState(Date.now);
  const [lengthS, setLengthS] = useState(() => windowLengthS(startedAt, Date.now()));
  const [behindS, setBehindS] = useState(0);
  const [hoverS, setHoverS] = useState<number | null>(null);
  const [dragS, setDragS] = useState<number | null>(null);

  useEffect(() => {
    const timer = setInterval(() => {
      setNowMs(Date.now());
      setLengthS(view.replaying ? controller.lengthS : windowLengthS(startedAt, Date.now()));
      setBehindS(controller.behindS);
    }, 500);
    return () => clearInterval(timer);
  }, [controller, startedAt, view.replaying]);

  const pointedS = dragS ?? hoverS;
  const picture = pointedS === null || view.replaying ? null : thumbnailAt(thumbnails, nowMs - pointedS * 1000);
  const shownS = dragS ?? (view.shifted ? behindS : 0);
  const commit = (): void => {
    if (dragS === null) return;
    setDragS(null);
    setBehindS(dragS);
    if (view.replaying) controller.seekReplay(dragS);
    else if (dragS < LIVE_WITHIN_S) controller.goLive();
    else void controller.seekBehind(dragS);
  };

  return (
    <div className="timeline">
      {picture !== null && pointedS !== null && lengthS > 0 && (
        <img
          className="timeline-picture"
          data-testid="timeline-picture"
          src={picture.url}
          alt=""
          style={{ left: `${Math.max(0, Math.min(1, 1 - pointedS / lengthS)) * 100}%` }}
        />
      )}
      <input
        type="range"
        data-testid="timeline"
        aria-label="Position in the stream"
        aria-valuetext={view.replaying ? clock(lengthS - shownS) : shownS < LIVE_WITHIN_S ? "Live" : `${clock(shownS)} behind live`}
        min={-lengthS}
        max={0}
        step={1}
        value={-Math.min(shownS, lengthS)}
        onChange={(event) => setDragS(-Number(event.target.value))}
        onPointerMove={(event) => {
          const { left, width } = event.currentTarget.getBoundingClientRect();
          setHoverS(width > 0 ? lengthS * Math.max(0, Math.min(1, 1 - (event.clientX - left) / width)) : null);
        }}
        onPointerLeave={() => setHoverS(null)}
        onKeyDown={(event) => {
          const stepS = KEY_STEPS_S[event.key];
          if (stepS === undefined) return;
          // The bar's own step of a second would end each press where one still means "live".
          event.preventDefault();
          setDragS(Math.max(0, Math.min(lengthS, shownS - stepS)));
        }}
        onPointerUp={commit}
        onKeyUp={commit}
        onBlur={commit}
      />
      {view.replaying ? (
        <output>{clock(lengthS - shownS)}</output>
      ) : (
        shownS >= LIVE_WITHIN_S && <output>−{clock(shownS)}</output>
      )}
    </div>
  );
}
