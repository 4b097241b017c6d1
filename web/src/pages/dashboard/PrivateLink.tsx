import { useState } from "react";

import { createPlaybackToken } from "../../api/client";
import { explain } from "../../api/problem";
import { CopyField } from "../../ui/CopyField";
import { ErrorNote } from "../../ui/ErrorNote";

/** A day: longer than a broadcast, shorter than a link stays in a chat's history. */
const TTL_S = 24 * 3600;

/** The way into a private stream: a watch link with a playback token inside. */
export function PrivateLink({ streamId, token }: { streamId: string; token: string }) {
  const [url, setUrl] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const create = async (): Promise<void> => {
    try {
      setUrl((await createPlaybackToken(token, streamId, TTL_S)).watch_url);
      setError(null);
    } catch (failure) {
      setError(explain(failure));
    }
  };
  return (
    <>
      {url === null ? (
        <button type="button" className="button" data-testid="private-link" onClick={() => void create()}>
          Create watch link
        </button>
      ) : (
        <CopyField label="Watch link, good for a day" value={url} secret testId="private-url" />
      )}
      {error !== null && <ErrorNote text={error} />}
    </>
  );
}
