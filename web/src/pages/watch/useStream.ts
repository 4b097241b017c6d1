import { useEffect, useMemo, useState } from "react";

import { getStream } from "../../api/client";
import { Gateway } from "../../api/gateway";
import { explain, ProblemError } from "../../api/problem";
import { signedOut } from "../../app/session";
import type { Notice, Stream, Viewers } from "../../api/types";

export interface StreamWatch {
  stream: Stream | null;
  gateway: Gateway;
  notice: Notice | null;
  error: string | null;
}

/** A stream as it changes: fetched once, then kept up to date by the socket. */
export function useStream(streamId: string, token: string | null, playbackToken: string | null): StreamWatch {
  const [stream, setStream] = useState<Stream | null>(null);
  const [notice, setNotice] = useState<Notice | null>(null);
  const [error, setError] = useState<string | null>(null);
  const gateway = useMemo(
    () => new Gateway(streamId, { token, playbackToken }),
    [streamId, token, playbackToken],
  );

  useEffect(() => {
    const abort = new AbortController();
    const update = (next: Stream): void => {
      setStream(next);
      setError(null);
    };
    // A token that has run out must not keep anyone from a public stream: go on as a guest.
    const fail = (reason: unknown): void => {
      const runOut = reason instanceof ProblemError && reason.status === 401 && playbackToken === null && token !== null;
      if (runOut) signedOut();
      else setError(explain(reason));
    };
    const hear = (told: Notice): void => {
      setNotice(told);
      if (told.type === "signed-out") signedOut();
    };
    const off = [
      gateway.events.on("stream", update),
      gateway.events.on("viewers", (viewers: Viewers) => setStream((known) => known && { ...known, viewers })),
      gateway.events.on("notice", hear),
      gateway.events.on("refused", fail),
    ];
    gateway.open();
    getStream(streamId, playbackToken ?? token, abort.signal).then(update, (reason: unknown) => {
      if (!abort.signal.aborted) fail(reason);
    });
    return () => {
      abort.abort();
      off.forEach((each) => each());
      gateway.close();
    };
  }, [gateway, streamId, token, playbackToken]);

  return { stream, gateway, notice, error };
}
