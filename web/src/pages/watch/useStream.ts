import { useEffect, useState } from "react";

import { getStream } from "../../api/client";
import { Gateway } from "../../api/gateway";
import { explain } from "../../api/problem";
import type { Notice, Stream, Viewers } from "../../api/types";

export interface StreamWatch {
  stream: Stream | null;
  gateway: Gateway | null;
  notice: Notice | null;
  error: string | null;
}

/** A stream as it changes: fetched once, then kept up to date by the socket. */
export function useStream(streamId: string, token: string | null, playbackToken: string | null): StreamWatch {
  const [stream, setStream] = useState<Stream | null>(null);
  const [gateway, setGateway] = useState<Gateway | null>(null);
  const [notice, setNotice] = useState<Notice | null>(null);
  const [error, setError] = useState<string | null>(null);

  useEffect(() => {
    const abort = new AbortController();
    const opened = new Gateway(streamId, { token, playbackToken });
    const update = (next: Stream): void => {
      setStream(next);
      setError(null);
    };
    opened.events.on("stream", update);
    opened.events.on("viewers", (viewers: Viewers) => setStream((known) => known && { ...known, viewers }));
    opened.events.on("notice", setNotice);
    opened.events.on("refused", (problem) => setError(problem.message));
    opened.open();
    setGateway(opened);
    getStream(streamId, playbackToken ?? token, abort.signal).then(update, (reason: unknown) => {
      if (!abort.signal.aborted) setError(explain(reason));
    });
    return () => {
      abort.abort();
      opened.close();
      setGateway(null);
    };
  }, [streamId, token, playbackToken]);

  return { stream, gateway, notice, error };
}
