import { useCallback, useEffect, useRef, useState } from "react";

import type { Gateway } from "../../api/gateway";
import { explain } from "../../api/problem";
import type { StageView } from "../../api/types";
import { StageClient, type Pass, type StageState } from "../../stage/client";
import type { HostTracks } from "../../stage/subscriber";
import type { PublishSettings } from "../../whip/client";

export interface StageHook {
  state: StageState;
  view: StageView | null;
  tracks: Map<string, HostTracks>;
  participantId: string | null;
  error: string | null;
  sharing: boolean;
  enter: (pass: Pass, media: MediaStream, settings: PublishSettings) => Promise<boolean>;
  leave: () => Promise<void>;
  share: () => Promise<void>;
  unshare: () => Promise<void>;
  peers: () => { publisher: RTCPeerConnection | null; subscriber: RTCPeerConnection | null };
}

const NOBODY = new Map<string, HostTracks>();

/** One's own place on the stage of a stream, and who else is there. */
export function useStage(
  gateway: Gateway,
  media: MediaStream | null,
  onReentry: (reentry: string | null) => void,
): StageHook {
  const [state, setState] = useState<StageState>("off");
  const [view, setView] = useState<StageView | null>(null);
  const [tracks, setTracks] = useState(NOBODY);
  const [participantId, setParticipantId] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [sharing, setSharing] = useState(false);
  const client = useRef<StageClient | null>(null);

  useEffect(() => {
    // The owner hears of the stage before entering it.
    const off = gateway.events.on("stage", setView);
    return () => {
      off();
      void client.current?.leave();
      client.current = null;
    };
  }, [gateway]);

  useEffect(() => {
    if (media === null) return;
    for (const kind of ["audio", "video"] as const) {
      const track = media.getTracks().find((each) => each.kind === kind) ?? null;
      client.current?.replaceTrack(kind, track, media).catch((reason: unknown) => setError(explain(reason)));
    }
  }, [media]);

  const enter = useCallback(
    async (pass: Pass, stream: MediaStream, settings: PublishSettings): Promise<boolean> => {
      const entering = new StageClient(gateway, stream, settings, onReentry);
      client.current = entering;
      setError(null);
      entering.events.on("state", setState);
      entering.events.on("view", setView);
      entering.events.on("tracks", setTracks);
      entering.events.on("ended", (why) => {
        setError(why);
        setTracks(NOBODY);
        setSharing(false);
      });
      try {
        await entering.enter(pass);
        setParticipantId(entering.participantId);
        return true;
      } catch (failure) {
        client.current = null;
        setError(explain(failure));
        return false;
      }
    },
    [gateway, onReentry],
  );

  const leave = useCallback(async (): Promise<void> => {
    const left = client.current;
    client.current = null;
    setTracks(NOBODY);
    setSharing(false);
    await left?.leave();
  }, []);

  const unshare = useCallback(async (): Promise<void> => {
    setSharing(false);
    await client.current?.unshare();
  }, []);

  const share = useCallback(async (): Promise<void> => {
    try {
      const screen = await navigator.mediaDevices.getDisplayMedia({
        video: { frameRate: { ideal: 15 } },
        audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
      screen.getVideoTracks()[0]?.addEventListener("ended", () => void unshare());
      await client.current?.share(screen);
      setSharing(true);
    } catch (failure) {
      // NotAllowedError: the picker was closed.
      if (!(failure instanceof DOMException && failure.name === "NotAllowedError")) setError(explain(failure));
    }
  }, [unshare]);

  const peers = useCallback(
    () => ({ publisher: client.current?.peer ?? null, subscriber: client.current?.receiving ?? null }),
    [],
  );

  return { state, view, tracks, participantId, error, sharing, enter, leave, share, unshare, peers };
}
