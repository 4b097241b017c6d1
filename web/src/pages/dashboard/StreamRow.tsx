import { useState } from "react";

import { deleteStream } from "../../api/client";
import { explain } from "../../api/problem";
import type { Stream } from "../../api/types";
import { Link } from "../../app/router";
import { studioPath, watchPath } from "../../app/routes";
import { forget } from "../../app/streamSecrets";
import { StatusBadge } from "../../ui/Badges";
import { ErrorNote } from "../../ui/ErrorNote";
import { plural } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { Modal } from "../../ui/Modal";
import { EditStream } from "./EditStream";
import { EncoderLinks } from "./EncoderLinks";
import { PrivateLink } from "./PrivateLink";
import { Recordings } from "./Recordings";

interface Props {
  stream: Stream;
  token: string;
  onChanged: (stream: Stream) => void;
  onDeleted: () => void;
}

type Opened = "keys" | "edit" | "delete" | null;

export function StreamRow({ stream, token, onChanged, onDeleted }: Props) {
  const [opened, setOpened] = useState<Opened>(null);
  const close = (): void => setOpened(null);
  return (
    <li className="row panel" data-testid="stream-row" data-stream-id={stream.stream_id}>
      <div className="row-head">
        <div className="row-title">
          <h2>
            <Link href={studioPath(stream.stream_id)}>{stream.title}</Link>
          </h2>
          <p className="hint">
            <StatusBadge status={stream.status} />
            <span className="category">{stream.category}</span>
            {stream.visibility !== "public" && (
              <span className="with-icon">
                <Icon name="lock" />
                {stream.visibility === "private" ? "Private" : "Unlisted"}
              </span>
            )}
            {stream.status === "live" && <span>{plural(stream.viewers.total, "viewer")}</span>}
          </p>
        </div>
        <div className="row-actions">
          <Link href={studioPath(stream.stream_id)} className="button">
            Studio
          </Link>
          <Link href={watchPath(stream.stream_id)} className="button quiet">
            Watch
          </Link>
          <button
            type="button"
            className="icon-button"
            aria-label={`Keys of ${stream.title}`}
            aria-expanded={opened === "keys"}
            data-testid="keys"
            onClick={() => setOpened(opened === "keys" ? null : "keys")}
          >
            <Icon name="key" />
          </button>
          <button
            type="button"
            className="icon-button"
            aria-label={`Edit ${stream.title}`}
            data-testid="edit-stream"
            onClick={() => setOpened("edit")}
          >
            <Icon name="edit" />
          </button>
          <button
            type="button"
            className="icon-button"
            aria-label={`Delete ${stream.title}`}
            data-testid="delete-stream"
            onClick={() => setOpened("delete")}
          >
            <Icon name="trash" />
          </button>
        </div>
      </div>
      {(stream.status === "live" || stream.status === "ended") && (
        <Recordings streamId={stream.stream_id} token={token} />
      )}
      {opened === "keys" && (
        <div className="row-more encoder-links">
          {stream.visibility === "private" && <PrivateLink streamId={stream.stream_id} token={token} />}
          <EncoderLinks streamId={stream.stream_id} token={token} />
        </div>
      )}
      {opened === "edit" && (
        <EditStream
          stream={stream}
          token={token}
          onClose={close}
          onChanged={(changed) => {
            onChanged(changed);
            close();
          }}
        />
      )}
      {opened === "delete" && <DeleteStream stream={stream} token={token} onClose={close} onDeleted={onDeleted} />}
    </li>
  );
}

function DeleteStream({
  stream,
  token,
  onClose,
  onDeleted,
}: {
  stream: Stream;
  token: string;
  onClose: () => void;
  onDeleted: () => void;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const remove = async (): Promise<void> => {
    setBusy(true);
    try {
      await deleteStream(token, stream.stream_id);
      forget(stream.stream_id);
      onDeleted();
    } catch (failure) {
      setError(explain(failure));
      setBusy(false);
    }
  };
  return (
    <Modal title="Delete this stream?" onClose={onClose}>
      <p className="hint">“{stream.title}”, its key, its address and its recordings will be gone. This can’t be undone.</p>
      {error !== null && <ErrorNote text={error} />}
      <div className="modal-actions">
        <button type="button" className="button quiet" onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          className="button danger"
          data-testid="delete-confirm"
          disabled={busy}
          onClick={() => void remove()}
        >
          Delete
        </button>
      </div>
    </Modal>
  );
}
