import { useEffect, useState } from "react";

import { listRecordings } from "../../api/client";
import type { Recording } from "../../api/types";

/** The server takes a picture every 10 s. */
const REFRESH_MS = 10_000;

/** The recordings of a stream, newest first; asked for while `wanted`. Empty where there are none. */
export function useRecordings(streamId: string, token: string | null, wanted: boolean): Recording[] {
  const [recordings, setRecordings] = useState<Recording[]>([]);
  useEffect(() => {
    if (!wanted) return;
    const abort = new AbortController();
    const load = (): void => {
      // Without them there are no pictures and no replay; the player is not concerned.
      listRecordings(streamId, token, abort.signal).then(setRecordings, () => undefined);
    };
    load();
    const timer = setInterval(load, REFRESH_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [streamId, token, wanted]);
  return recordings;
}
