import { useEffect, useMemo, useRef, useState } from "react";

import type { HostChange } from "../../api/client";
import type { StageParticipant } from "../../api/types";
import type { HostTracks } from "../../stage/subscriber";
import { Icon } from "../../ui/icons";
import { Modal } from "../../ui/Modal";

export type Quality = "good" | "fair" | "poor";

interface Props {
  host: StageParticipant;
  tracks: HostTracks;
  own: boolean;
  mirrored: boolean;
  pinned: boolean;
  quality: Quality | null;
  /** Null: this page is no owner's. */
  control: HostControl | null;
}

export interface HostControl {
  change: (change: HostChange) => void;
  pin: () => void;
  remove: () => void;
}

const QUALITIES: Record<Quality, string> = {
  good: "Good connection",
  fair: "Some packets are lost",
  poor: "Poor connection",
};

export function HostTile({ host, tracks, own, mirrored, pinned, quality, control }: Props) {
  return (
    <div
      className="host-tile"
      data-testid="host-tile"
      data-participant-id={host.participant_id}
      data-speaking={host.speaking}
      data-own={own}
    >
      <div className="host-pictures">
        <Picture
          video={host.video.muted ? undefined : tracks.camera}
          audio={own ? undefined : tracks.microphone}
          mirrored={mirrored}
          name={host.name}
        />
        {tracks.screen !== undefined && (
          <Picture video={tracks.screen} audio={own ? undefined : tracks["screen-audio"]} mirrored={false} name={`${host.name}’s screen`} />
        )}
      </div>
      <div className="host-name">
        {quality !== null && <span className="quality-dot" data-quality={quality} title={QUALITIES[quality]} />}
        <span>{own ? `${host.name} (you)` : host.name}</span>
        {host.audio.muted && <Icon name="micOff" />}
        {pinned && <span className="badge">Pinned</span>}
      </div>
      {control !== null && <Controls host={host} own={own} pinned={pinned} control={control} />}
    </div>
  );
}

function Picture({ video, audio, mirrored, name }: { video: MediaStreamTrack | undefined; audio: MediaStreamTrack | undefined; mirrored: boolean; name: string }) {
  const ref = useRef<HTMLVideoElement>(null);
  const stream = useMemo(() => {
    const tracks = [video, audio].filter((each) => each !== undefined);
    return tracks.length === 0 ? null : new MediaStream(tracks);
  }, [video, audio]);
  useEffect(() => {
    if (ref.current !== null) ref.current.srcObject = stream;
  }, [stream]);
  return (
    <div className="host-picture">
      <video
        ref={ref}
        className={mirrored ? "mirrored" : undefined}
        autoPlay
        playsInline
        muted={audio === undefined}
        aria-label={name}
      />
      {video === undefined && (
        <div className="host-card" aria-hidden="true">
          {name.slice(0, 1).toUpperCase()}
        </div>
      )}
    </div>
  );
}

const CAUGHT_UP_MS = 2000;

/** Where the slider is: where it was moved to, until the server says so too or has had time to refuse. */
function useGain(toldDb: number): [number, (gainDb: number) => void] {
  const [movedDb, setMoved] = useState<number | null>(null);
  useEffect(() => {
    if (movedDb === null) return;
    const timer = setTimeout(() => setMoved(null), movedDb === toldDb ? 0 : CAUGHT_UP_MS);
    return () => clearTimeout(timer);
  }, [movedDb, toldDb]);
  return [movedDb ?? toldDb, setMoved];
}

function Controls({ host, own, pinned, control }: { host: StageParticipant; own: boolean; pinned: boolean; control: HostControl }) {
  const [gainDb, setGain] = useGain(host.audio.gain_db);
  const [asking, setAsking] = useState(false);
  return (
    <div className="host-controls">
      <button
        type="button"
        className={host.audio.muted ? "icon-button danger" : "icon-button"}
        data-testid="host-mute"
        aria-pressed={host.audio.muted}
        aria-label={host.audio.muted ? `Unmute ${host.name}` : `Mute ${host.name}`}
        onClick={() => control.change({ audio: { muted: !host.audio.muted } })}
      >
        <Icon name={host.audio.muted ? "micOff" : "mic"} />
      </button>
      <input
        type="range"
        data-testid="host-gain"
        aria-label={`Volume of ${host.name} in the program`}
        title={`${gainDb > 0 ? "+" : ""}${gainDb} dB`}
        min={-30}
        max={12}
        step={1}
        value={gainDb}
        onChange={(event) => {
          setGain(Number(event.target.value));
          control.change({ audio: { gain_db: Number(event.target.value) } });
        }}
      />
      <button
        type="button"
        className="icon-button"
        data-testid="host-hide"
        aria-pressed={host.video.muted}
        aria-label={host.video.muted ? `Show the picture of ${host.name}` : `Hide the picture of ${host.name}`}
        onClick={() => control.change({ video: { muted: !host.video.muted } })}
      >
        <Icon name={host.video.muted ? "eyeOff" : "eye"} />
      </button>
      <button
        type="button"
        className="icon-button"
        data-testid="host-pin"
        aria-pressed={pinned}
        aria-label={pinned ? `Unpin ${host.name}` : `Pin ${host.name}`}
        onClick={control.pin}
      >
        <Icon name="pin" />
      </button>
      {!own && (
        <button
          type="button"
          className="icon-button"
          data-testid="host-remove"
          aria-label={`Take ${host.name} off the stage`}
          onClick={() => setAsking(true)}
        >
          <Icon name="close" />
        </button>
      )}
      {asking && (
        <Modal title={`Take ${host.name} off the stage?`} onClose={() => setAsking(false)}>
          <p className="hint">Their invite has ended then: to come back they need another one.</p>
          <div className="modal-actions">
            <button type="button" className="button quiet" onClick={() => setAsking(false)}>
              Cancel
            </button>
            <button
              type="button"
              className="button danger"
              data-testid="remove-confirm"
              onClick={() => {
                setAsking(false);
                control.remove();
              }}
            >
              Take off
            </button>
          </div>
        </Modal>
      )}
    </div>
  );
}
