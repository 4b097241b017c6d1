import { useCallback, useEffect, useRef, useState } from "react";

import { capture, listDevices, type Captured, type CaptureSettings, type Devices } from "./capture";
import { explainCapture } from "./mediaErrors";

export interface CaptureState {
  stream: MediaStream | null;
  devices: Devices;
  busy: boolean;
  error: string | null;
  open: (settings: CaptureSettings) => Promise<MediaStream | null>;
}

const NO_DEVICES: Devices = { cameras: [], microphones: [] };

/** The host's own media. `onScreenEnd`: the browser's "Stop sharing" was pressed; what it answers is opened instead. */
export function useCapture(onScreenEnd: () => CaptureSettings): CaptureState {
  const [captured, setCaptured] = useState<Captured | null>(null);
  const [devices, setDevices] = useState(NO_DEVICES);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const held = useRef<Captured | null>(null);
  const round = useRef(0);
  const screenEnd = useRef(onScreenEnd);
  const reopen = useRef<CaptureState["open"] | null>(null);

  const open = useCallback(async (settings: CaptureSettings): Promise<MediaStream | null> => {
    const mine = (round.current += 1);
    setBusy(true);
    try {
      const next = await capture(settings);
      if (round.current !== mine) {
        next.stop();
        return null;
      }
      held.current?.stop();
      held.current = next;
      const [video] = next.stream.getVideoTracks();
      if (settings.source === "screen" && video !== undefined) {
        video.addEventListener("ended", () => {
          if (held.current === next) void reopen.current?.(screenEnd.current());
        });
      }
      setCaptured(next);
      setError(null);
      // Names of devices are told only after permission was given.
      setDevices(await listDevices());
      return next.stream;
    } catch (reason) {
      const name = reason instanceof Error ? reason.name : "unknown";
      if (round.current === mine) setError(explainCapture(name, settings.source, window.isSecureContext));
      return null;
    } finally {
      if (round.current === mine) setBusy(false);
    }
  }, []);

  useEffect(() => {
    screenEnd.current = onScreenEnd;
    reopen.current = open;
  });

  useEffect(() => {
    // Undefined on pages that aren't secure, whatever the types say.
    const media = navigator.mediaDevices as MediaDevices | undefined;
    const update = (): void => void listDevices().then(setDevices);
    media?.addEventListener("devicechange", update);
    return () => {
      media?.removeEventListener("devicechange", update);
      round.current += 1;
      held.current?.stop();
      held.current = null;
    };
  }, []);

  return { stream: captured?.stream ?? null, devices, busy, error, open };
}
