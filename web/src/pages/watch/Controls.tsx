import type { RefObject } from "react";

import type { PlayerController } from "../../player/controller";
import type { PlayerView } from "../../player/view";
import { Icon } from "../../ui/icons";
import { QualityMenu } from "./QualityMenu";
import type { PlayerAction } from "./shortcuts";
import { canPictureInPicture, setVolume, togglePictureInPicture, type Media } from "./useMedia";

interface Props {
  view: PlayerView;
  media: Media;
  controller: PlayerController | null;
  videoRef: RefObject<HTMLVideoElement | null>;
  onAction: (action: PlayerAction) => void;
  showStats: boolean;
}

const MODES = { webrtc: "Real time", hls: "Low latency" };

export function Controls({ view, media, controller, videoRef, onAction, showStats }: Props) {
  return (
    <div className="controls">
      <button
        type="button"
        className="icon-button"
        aria-label={media.paused ? "Play" : "Pause"}
        onClick={() => onAction("toggle")}
      >
        <Icon name={media.paused ? "play" : "pause"} />
      </button>
      <div className="volume">
        <button
          type="button"
          className="icon-button"
          data-testid="mute"
          aria-label={media.muted ? "Sound on" : "Sound off"}
          aria-pressed={media.muted}
          onClick={() => onAction("mute")}
        >
          <Icon name={media.muted ? "muted" : "sound"} />
        </button>
        <input
          type="range"
          min="0"
          max="1"
          step="0.05"
          aria-label="Volume"
          value={media.muted ? 0 : media.volume}
          onChange={(event) => {
            if (videoRef.current !== null) setVolume(videoRef.current, Number(event.target.value));
          }}
        />
      </div>
      <LiveButton view={view} onLive={() => controller?.goLive()} />
      <span className="spacer" />
      {view.mode !== null && (
        <span className="mode" title={view.mode === "webrtc" ? "WebRTC" : "Low-Latency HLS"}>
          {view.shifted ? "Replay" : MODES[view.mode]}
        </span>
      )}
      <button
        type="button"
        className="icon-button"
        data-testid="stats-toggle"
        aria-label="Statistics"
        aria-pressed={showStats}
        onClick={() => onAction("stats")}
      >
        <Icon name="stats" />
      </button>
      <QualityMenu view={view} onChoose={(id) => controller?.setQuality(id) ?? Promise.resolve()} />
      {canPictureInPicture() && (
        <button
          type="button"
          className="icon-button pip"
          aria-label="Picture in picture"
          aria-pressed={media.pip}
          onClick={() => {
            // Refused while there is no picture yet: nothing to show apart then.
            if (videoRef.current !== null) void togglePictureInPicture(videoRef.current).catch(() => undefined);
          }}
        >
          <Icon name="pip" />
        </button>
      )}
      <button
        type="button"
        className="icon-button help"
        aria-label="Keyboard shortcuts"
        onClick={() => onAction("help")}
      >
        <Icon name="help" />
      </button>
      <button
        type="button"
        className="icon-button"
        data-testid="fullscreen"
        aria-label={media.fullscreen ? "Leave full screen" : "Full screen"}
        aria-pressed={media.fullscreen}
        onClick={() => onAction("fullscreen")}
      >
        <Icon name={media.fullscreen ? "exitFullscreen" : "fullscreen"} />
      </button>
    </div>
  );
}

function LiveButton({ view, onLive }: { view: PlayerView; onLive: () => void }) {
  if (view.state !== "playing" && view.state !== "reconnecting") return null;
  if (!view.shifted) return <span className="live-mark">Live</span>;
  return (
    <button type="button" className="live-mark behind" data-testid="go-to-live" onClick={onLive}>
      {view.replaying ? "End replay" : "Go to live"}
    </button>
  );
}
