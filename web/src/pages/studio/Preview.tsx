import { useEffect, useRef, useState } from "react";

import { Spinner } from "../../ui/Busy";
import { clock } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { LevelMeter } from "./LevelMeter";
import type { LiveState } from "./useBroadcast";

interface Props {
  stream: MediaStream | null;
  /** One expects one's own face as in a mirror; viewers see it the right way round. */
  mirrored: boolean;
  state: LiveState;
  liveSinceMs: number | null;
  busy: boolean;
}

const WORDS: Record<LiveState, string> = {
  idle: "Preview",
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Reconnecting…",
  error: "Not live",
};

export function Preview({ stream, mirrored, state, liveSinceMs, busy }: Props) {
  const ref = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (ref.current !== null) ref.current.srcObject = stream;
  }, [stream]);
  const hasVideo = (stream?.getVideoTracks().length ?? 0) > 0;
  return (
    <div className="preview">
      <video
        ref={ref}
        data-testid="preview"
        className={mirrored ? "mirrored" : undefined}
        autoPlay
        muted
        playsInline
        aria-label="Your picture, as viewers will see it"
      />
      {!hasVideo && (
        <div className="preview-empty">
          {busy ? <Spinner label="Starting camera" /> : <Icon name={stream === null ? "camera" : "mic"} />}
          <p>{busy ? "Allow the camera and microphone" : stream === null ? "No picture yet" : "Sound only"}</p>
        </div>
      )}
      <div className="preview-top">
        <span className={state === "live" ? "badge live" : "badge on-picture"} data-testid="live-state" data-state={state} role="status">
          {WORDS[state]}
        </span>
        {liveSinceMs !== null && <Timer sinceMs={liveSinceMs} />}
      </div>
      <LevelMeter stream={stream} />
    </div>
  );
}

function Timer({ sinceMs }: { sinceMs: number }) {
  const [nowMs, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return (
    <span className="badge on-picture" role="timer">
      {clock((nowMs - sinceMs) / 1000)}
    </span>
  );
}
