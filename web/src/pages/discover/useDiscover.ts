import { useCallback, useEffect, useState } from "react";

import { discover } from "../../api/client";
import { explain } from "../../api/problem";
import type { Stream } from "../../api/types";

export interface Discovery {
  streams: Stream[] | null;
  error: string | null;
  /** More pages follow. */
  more: boolean;
  loading: boolean;
  loadMore: () => void;
  retry: () => void;
}

/** 20 s: the first page stays true while one looks at it. */
const REFRESH_MS = 20_000;

export function useDiscover(category: string | null): Discovery {
  const [streams, setStreams] = useState<Stream[] | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [loading, setLoading] = useState(true);
  const [paged, setPaged] = useState(false);
  const [round, setRound] = useState(0);

  const load = useCallback(
    (from: string | null, signal?: AbortSignal): void => {
      discover({ category, cursor: from }, signal).then(
        (page) => {
          setStreams((known) => (from === null ? page.streams : merge(known ?? [], page.streams)));
          setCursor(page.next_cursor);
          setError(null);
          setLoading(false);
        },
        (reason: unknown) => {
          if (signal?.aborted) return;
          setError(explain(reason));
          setLoading(false);
        },
      );
    },
    [category],
  );

  useEffect(() => {
    const abort = new AbortController();
    load(null, abort.signal);
    return () => abort.abort();
  }, [load, round]);

  useEffect(() => {
    if (paged) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") load(null);
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [load, paged]);

  return {
    streams,
    error,
    more: cursor !== null,
    loading,
    loadMore: () => {
      setPaged(true);
      setLoading(true);
      load(cursor);
    },
    retry: () => {
      setLoading(true);
      setRound((n) => n + 1);
    },
  };
}

/** Audiences move between two pages: a stream that stands on both keeps its first place, with its newest figures. */
export function merge(known: readonly Stream[], page: readonly Stream[]): Stream[] {
  const fresh = new Map(page.map((stream) => [stream.stream_id, stream]));
  const ids = new Set(known.map((stream) => stream.stream_id));
  return [
    ...known.map((stream) => fresh.get(stream.stream_id) ?? stream),
    ...page.filter((stream) => !ids.has(stream.stream_id)),
  ];
}

/** Case and accents don't matter when one searches. */
export function matches(stream: Stream, query: string): boolean {
  const fold = (text: string): string => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const text = fold(`${stream.title} ${stream.category} ${stream.broadcaster_name ?? ""}`);
  return fold(query)
    .split(/\s+/)
    .every((word) => text.includes(word));
}
