import { useEffect, useRef, useState, useSyncExternalStore, type RefObject } from "react";

import type { Gateway } from "../../api/gateway";
import { PlayerController } from "../../player/controller";
import type { PlayerView } from "../../player/view";

const BEFORE: PlayerView = {
  state: "idle",
  mode: null,
  qualities: [],
  quality: "auto",
  message: null,
  canSeek: false,
  shifted: false,
  replaying: false,
};

interface Wanted {
  streamId: string;
  token: string | null;
  playbackToken: string | null;
  gateway: Gateway;
}

export interface PlayerHandle {
  videoRef: RefObject<HTMLVideoElement | null>;
  controller: PlayerController | null;
  view: PlayerView;
}

/** A PlayerController for the life of a component. */
export function usePlayer({ streamId, token, playbackToken, gateway }: Wanted): PlayerHandle {
  const videoRef = useRef<HTMLVideoElement>(null);
  const [controller, setController] = useState<PlayerController | null>(null);

  useEffect(() => {
    const video = videoRef.current;
    if (video === null) return;
    const created = new PlayerController(video, { streamId, token, playbackToken });
    setController(created);
    created.start();
    return () => {
      setController(null);
      created.stop();
    };
  }, [streamId, token, playbackToken]);

  useEffect(() => {
    if (controller === null) return;
    controller.setSocketUp(gateway.joined);
    const off = [
      gateway.events.on("playback", (playback) => controller.handlePlayback(playback)),
      gateway.events.on("joined", (joined) => controller.setSocketUp(joined)),
    ];
    return () => off.forEach((each) => each());
  }, [controller, gateway]);

  const view = useSyncExternalStore(
    controller?.subscribe ?? never,
    () => controller?.snapshot() ?? BEFORE,
  );
  return { videoRef, controller, view };
}

const never = (): (() => void) => () => undefined;
