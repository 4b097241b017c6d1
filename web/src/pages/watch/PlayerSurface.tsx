import { useEffect, useRef, useState } from "react";

import type { Gateway } from "../../api/gateway";
import type { Stream } from "../../api/types";
import { play } from "../../player/autoplay";
import { Icon } from "../../ui/icons";
import { Controls } from "./Controls";
import { PlayerOverlay } from "./PlayerOverlay";
import { ShortcutHelp } from "./ShortcutHelp";
import { actionOf, type PlayerAction } from "./shortcuts";
import { StatsOverlay } from "./StatsOverlay";
import { Timeline } from "./Timeline";
import { setVolume, toggleFullscreen, toggleMute, useMedia } from "./useMedia";
import { usePlayer } from "./usePlayer";
import { useRecordings } from "./useRecordings";
import { useIdle } from "./useIdle";

interface Props {
  streamId: string;
  stream: Stream | null;
  gateway: Gateway;
  token: string | null;
  playbackToken: string | null;
}

export function PlayerSurface({ streamId, stream, gateway, token, playbackToken }: Props) {
  const { videoRef, controller, view } = usePlayer({ streamId, token, playbackToken, gateway });
  const surfaceRef = useRef<HTMLDivElement>(null);
  const media = useMedia(videoRef, surfaceRef);
  const [showStats, setShowStats] = useState(false);
  const [showHelp, setShowHelp] = useState(false);
  const active = view.state === "playing" || view.state === "reconnecting";
  const idle = useIdle(surfaceRef) && view.state === "playing" && !media.paused;
  const wanted = view.state === "offline" || (view.canSeek && !view.replaying && !idle);
  const recordings = useRecordings(streamId, playbackToken ?? token, wanted);

  const act = (action: PlayerAction): void => {
    const video = videoRef.current;
    if (video === null) return;
    switch (action) {
      case "toggle":
        if (video.paused) play(video);
        else video.pause();
        return;
      case "mute":
        toggleMute(video);
        return;
      case "fullscreen":
        if (surfaceRef.current !== null) void toggleFullscreen(surfaceRef.current, video).catch(() => undefined);
        return;
      case "stats":
        setShowStats((shown) => !shown);
        return;
      case "louder":
        setVolume(video, (video.muted ? 0 : video.volume) + 0.1);
        return;
      case "quieter":
        setVolume(video, video.volume - 0.1);
        return;
      case "help":
        setShowHelp((shown) => !shown);
    }
  };

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const target = event.target instanceof HTMLElement ? event.target : document.body;
      const action = actionOf({
        key: event.key,
        ctrlKey: event.ctrlKey,
        metaKey: event.metaKey,
        altKey: event.altKey,
        targetTag: target.tagName,
        targetEditable: target.isContentEditable,
      });
      if (action === null) return;
      event.preventDefault();
      act(action);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  });

  return (
    <div ref={surfaceRef} className={`player ${view.state}${idle ? " unattended" : ""}`} data-testid="player">
      <span
        hidden
        data-testid="player-state"
        data-state={view.state}
        data-mode={view.mode ?? ""}
        data-quality={view.quality}
      />
      <video
        ref={videoRef}
        playsInline
        autoPlay
        muted
        aria-label={stream === null ? "Live video" : `Live video: ${stream.title}`}
        onClick={() => act("toggle")}
        onDoubleClick={() => act("fullscreen")}
      />
      <PlayerOverlay
        view={view}
        stream={stream}
        onRetry={() => controller?.retry()}
        recordings={recordings}
        onReplay={(recording) => void controller?.replay(recording.manifest_url)}
      />
      {active && media.muted && (
        <button type="button" className="sound-tap" onClick={() => act("mute")}>
          <Icon name="muted" />
          Tap for sound
        </button>
      )}
      {showStats && controller !== null && <StatsOverlay controller={controller} view={view} />}
      <div className="player-bar">
        {view.canSeek && controller !== null && (
          <Timeline
            controller={controller}
            view={view}
            startedAt={stream?.started_at ?? null}
            thumbnails={recordings[0]?.thumbnails ?? []}
          />
        )}
        <Controls view={view} media={media} controller={controller} videoRef={videoRef} onAction={act} showStats={showStats} />
      </div>
      {showHelp && <ShortcutHelp onClose={() => setShowHelp(false)} />}
    </div>
  );
}
