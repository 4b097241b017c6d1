import { useCallback, useEffect, useRef, useState } from "react";

import { entriesOf } from "../../player/webrtcStats";
import { WhipClient, type PublishSettings } from "../../whip/client";
import { samplePublisher, type PublishStats, type SendTotals } from "./publishStats";

export type LiveState = "idle" | "connecting" | "live" | "reconnecting" | "error";

export interface Broadcast {
  state: LiveState;
  /** performance.now() of the first connection. */
  liveSinceMs: number | null;
  error: string | null;
  stats: PublishStats | null;
  goLive: (streamKey: string, media: MediaStream, settings: PublishSettings) => void;
  stop: () => Promise<void>;
}

/** Same origin whatever the server calls itself: the page that shows the preview also publishes it. */
const ENDPOINT = "/whip";

/** Publishing of one host. `media`: what to send; another stream while live takes the old one's place. */
export function useBroadcast(media: MediaStream | null): Broadcast {
  const [state, setState] = useState<LiveState>("idle");
  const [liveSinceMs, setLiveSince] = useState<number | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [stats, setStats] = useState<PublishStats | null>(null);
  const client = useRef<WhipClient | null>(null);

  const stop = useCallback(async (): Promise<void> => {
    const stopped = client.current;
    client.current = null;
    setState("idle");
    setLiveSince(null);
    setStats(null);
    await stopped?.stop();
  }, []);

  const goLive = (streamKey: string, stream: MediaStream, settings: PublishSettings): void => {
    void client.current?.stop();
    const started = new WhipClient(ENDPOINT, streamKey, stream, settings);
    client.current = started;
    setError(null);
    setState("connecting");
    started.events.on("state", (next) => {
      if (client.current !== started) return;
      if (next === "connected") {
        setState("live");
        setError(null);
        setLiveSince((known) => known ?? performance.now());
      } else if (next === "reconnecting" || next === "connecting") setState(next);
    });
    started.events.on("refused", (problem) => {
      if (client.current !== started) return;
      client.current = null;
      setState("error");
      setLiveSince(null);
      setError(problem.message);
    });
    started.events.on("blocked", () =>
      setError("The server answers, but no media gets through. A firewall may block UDP; trying again."),
    );
    started.start();
  };

  useEffect(() => {
    if (media === null || client.current === null) return;
    const live = client.current;
    for (const kind of ["audio", "video"] as const) {
      const track = media.getTracks().find((each) => each.kind === kind) ?? null;
      live.replaceTrack(kind, track).catch((reason: unknown) => setError(String(reason)));
    }
  }, [media]);

  const running = state !== "idle" && state !== "error";
  useEffect(() => {
    if (!running) return;
    let totals: SendTotals | null = null;
    const timer = setInterval(() => {
      void client.current?.peer?.getStats().then((report) => {
        const sample = samplePublisher(entriesOf(report), totals);
        totals = sample.totals;
        setStats(sample.stats);
      });
    }, 1000);
    return () => clearInterval(timer);
  }, [running]);

  useEffect(() => () => void client.current?.stop(), []);

  return { state, liveSinceMs, error, stats, goLive, stop };
}
