import { useCallback, useEffect, useState } from "react";

import { listOwnStreams } from "../../api/client";
import { explain, ProblemError } from "../../api/problem";
import type { Stream } from "../../api/types";
import { signedOut } from "../../app/session";
import { merge } from "../discover/useDiscover";

export interface OwnStreams {
  streams: Stream[] | null;
  error: string | null;
  more: boolean;
  loadMore: () => void;
  reload: () => void;
  replace: (stream: Stream) => void;
  remove: (streamId: string) => void;
}

export function useOwnStreams(token: string): OwnStreams {
  const [streams, setStreams] = useState<Stream[] | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [round, setRound] = useState(0);

  const load = useCallback(
    (from: string | null, signal?: AbortSignal): void => {
      listOwnStreams(token, from, signal).then(
        (page) => {
          setStreams((known) => (from === null ? page.streams : merge(known ?? [], page.streams)));
          setCursor(page.next_cursor);
          setError(null);
        },
        (failure: unknown) => {
          if (signal?.aborted) return;
          // The token has run out: the page asks to sign in again.
          if (failure instanceof ProblemError && failure.status === 401) signedOut();
          else setError(explain(failure));
        },
      );
    },
    [token],
  );

  useEffect(() => {
    const abort = new AbortController();
    load(null, abort.signal);
    return () => abort.abort();
  }, [load, round]);

  return {
    streams,
    error,
    more: cursor !== null,
    loadMore: () => load(cursor),
    reload: () => setRound((n) => n + 1),
    replace: (changed) =>
      setStreams((known) => known?.map((each) => (each.stream_id === changed.stream_id ? changed : each)) ?? null),
    remove: (streamId) => setStreams((known) => known?.filter((each) => each.stream_id !== streamId) ?? null),
  };
}
