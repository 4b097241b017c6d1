import { useEffect, useState } from "react";

import { listRecordings } from "../../api/client";
import { explain } from "../../api/problem";
import type { Recording } from "../../api/types";
import { ErrorNote } from "../../ui/ErrorNote";
import { clock, moment, size } from "../../ui/format";
import { recordingNotes } from "../watch/recordingNotes";

/** What was recorded of a stream, to be fetched: asked for when it is opened. */
export function Recordings({ streamId, token }: { streamId: string; token: string }) {
  const [opened, setOpened] = useState(false);
  return (
    <details className="row-more" data-testid="recordings" onToggle={(event) => setOpened(event.currentTarget.open)}>
      <summary>Recordings</summary>
      {opened && <List streamId={streamId} token={token} />}
    </details>
  );
}

function List({ streamId, token }: { streamId: string; token: string }) {
  const [recordings, setRecordings] = useState<Recording[] | null>(null);
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    listRecordings(streamId, token, abort.signal).then(setRecordings, (failure: unknown) => {
      if (!abort.signal.aborted) setError(explain(failure));
    });
    return () => abort.abort();
  }, [streamId, token]);
  if (error !== null) return <ErrorNote text={error} />;
  if (recordings === null) return <p className="hint">Loading…</p>;
  if (recordings.length === 0) return <p className="hint">Nothing is kept of this stream.</p>;
  return (
    <ul className="kept">
      {recordings.map((recording) => (
        <li key={recording.recording_id} data-testid="recording">
          {recording.thumbnail_url === null ? <span className="kept-picture" /> : <img className="kept-picture" src={recording.thumbnail_url} alt="" loading="lazy" />}
          <p>
            {moment(recording.started_at)}
            <span className="hint">{about(recording).join(" · ")}</span>
          </p>
          <a className="button" href={recording.mp4_url} download>
            MP4
          </a>
        </li>
      ))}
    </ul>
  );
}

const about = (recording: Recording): string[] => [
  clock(recording.duration_s),
  size(recording.bytes),
  ...recordingNotes(recording),
  ...(recording.expires_at === null ? [] : [`kept until ${new Date(recording.expires_at).toLocaleDateString()}`]),
];
