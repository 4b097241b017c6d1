import { useEffect, useState } from "react";

import { Icon } from "../../ui/icons";
import { offers, type CodecChoice, type FrameRate, type Height } from "../../whip/encodings";
import { NONE, type Devices } from "./capture";
import type { StudioSettings } from "./settings";

interface Props {
  settings: StudioSettings;
  devices: Devices;
  stream: MediaStream | null;
  /** Live: what was negotiated can't change, devices can. */
  locked: boolean;
  onChange: (change: Partial<StudioSettings>, reopen: boolean) => void;
  onShareScreen: () => void;
}

const HEIGHTS: readonly Height[] = [480, 720, 1080];
const FRAME_RATES: readonly FrameRate[] = [30, 60];

export function SourcePanel({ settings, devices, stream, locked, onChange, onShareScreen }: Props) {
  const canShare = "getDisplayMedia" in ((navigator.mediaDevices as MediaDevices | undefined) ?? {});
  const codecs = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
  const screen = settings.source === "screen";
  return (
    <div className="panel sources">
      <h2>Picture and sound</h2>
      <div className="segments" role="group" aria-label="Source">
        <button
          type="button"
          aria-pressed={!screen}
          data-testid="source-camera"
          onClick={() => onChange({ source: "camera" }, true)}
        >
          <Icon name="camera" />
          Camera
        </button>
        <button
          type="button"
          aria-pressed={screen}
          disabled={!canShare}
          data-testid="source-screen"
          onClick={onShareScreen}
        >
          <Icon name="screen" />
          {screen ? "Change screen" : "Share screen"}
        </button>
      </div>
      {!screen && (
        <Picker
          label="Camera"
          testId="camera"
          value={settings.cameraId}
          devices={devices.cameras}
          onChange={(cameraId) => onChange({ cameraId }, true)}
        />
      )}
      <div className="with-button">
        <Picker
          label="Microphone"
          testId="microphone"
          value={settings.microphoneId}
          devices={devices.microphones}
          // While a screen is shared another microphone would need the screen to be picked again.
          disabled={screen}
          onChange={(microphoneId) => onChange({ microphoneId }, true)}
        />
        <MicButton key={stream?.id} stream={stream} />
      </div>
      <div className="pair">
        <label className="field">
          <span className="label">Resolution</span>
          <select
            data-testid="resolution"
            value={settings.height}
            disabled={locked}
            onChange={(event) => onChange({ height: Number(event.target.value) as Height }, !screen)}
          >
            {HEIGHTS.map((height) => (
              <option key={height} value={height}>
                {height}p
              </option>
            ))}
          </select>
        </label>
        <label className="field">
          <span className="label">Frame rate</span>
          <select
            data-testid="frame-rate"
            value={settings.frameRate}
            disabled={locked}
            onChange={(event) => onChange({ frameRate: Number(event.target.value) as FrameRate }, !screen)}
          >
            {FRAME_RATES.map((rate) => (
              <option key={rate} value={rate}>
                {rate} fps
              </option>
            ))}
          </select>
        </label>
      </div>
      <div className="pair">
        <label className="field">
          <span className="label">Codec</span>
          <select
            data-testid="codec"
            value={settings.codec}
            disabled={locked}
            onChange={(event) => onChange({ codec: event.target.value as CodecChoice }, false)}
          >
            <option value="auto">Auto</option>
            <option value="h264" disabled={!offers(codecs, "h264")}>
              H.264
            </option>
            <option value="vp8" disabled={!offers(codecs, "vp8")}>
              VP8
            </option>
          </select>
        </label>
        <label className="check">
          <input
            type="checkbox"
            data-testid="simulcast"
            checked={settings.simulcast}
            disabled={locked}
            onChange={(event) => onChange({ simulcast: event.target.checked }, false)}
          />
          <span>
            Simulcast
            <span className="hint">Lets viewers pick a smaller picture</span>
          </span>
        </label>
      </div>
    </div>
  );
}

interface PickerProps {
  label: string;
  testId: string;
  value: string;
  devices: MediaDeviceInfo[];
  disabled?: boolean;
  onChange: (id: string) => void;
}

function Picker({ label, testId, value, devices, disabled = false, onChange }: PickerProps) {
  const known = value === "" || value === NONE || devices.some((each) => each.deviceId === value);
  return (
    <label className="field">
      <span className="label">{label}</span>
      <select
        data-testid={testId}
        value={known ? value : ""}
        disabled={disabled}
        onChange={(event) => onChange(event.target.value)}
      >
        <option value="">Default</option>
        {devices.map((each) => (
          <option key={each.deviceId} value={each.deviceId}>
            {each.label}
          </option>
        ))}
        <option value={NONE}>None</option>
      </select>
    </label>
  );
}

function MicButton({ stream }: { stream: MediaStream | null }) {
  const [muted, setMuted] = useState(false);
  useEffect(() => {
    for (const track of stream?.getAudioTracks() ?? []) track.enabled = !muted;
  }, [stream, muted]);
  return (
    <button
      type="button"
      className={muted ? "icon-button outlined danger" : "icon-button outlined"}
      aria-pressed={muted}
      aria-label={muted ? "Unmute microphone" : "Mute microphone"}
      data-testid="mic-mute"
      onClick={() => setMuted(!muted)}
    >
      <Icon name={muted ? "micOff" : "mic"} />
    </button>
  );
}
