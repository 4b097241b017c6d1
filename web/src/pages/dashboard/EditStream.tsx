import { useState, type SyntheticEvent } from "react";

import { updateStream } from "../../api/client";
import { explain } from "../../api/problem";
import type { Stream } from "../../api/types";
import { ErrorNote } from "../../ui/ErrorNote";
import { Modal } from "../../ui/Modal";
import { StreamFields } from "./StreamFields";

interface Props {
  stream: Stream;
  token: string;
  onClose: () => void;
  onChanged: (stream: Stream) => void;
}

export function EditStream({ stream, token, onClose, onChanged }: Props) {
  const [draft, setDraft] = useState({
    title: stream.title,
    category: stream.category,
    visibility: stream.visibility,
  });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const submit = async (event: SyntheticEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      onChanged(await updateStream(token, stream.stream_id, draft));
    } catch (failure) {
      setError(explain(failure));
      setBusy(false);
    }
  };
  return (
    <Modal title="Edit stream" onClose={onClose}>
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <StreamFields value={draft} onChange={setDraft} />
        {error !== null && <ErrorNote text={error} />}
        <div className="modal-actions">
          <button type="button" className="button quiet" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button primary" data-testid="save-stream" disabled={busy}>
            Save
          </button>
        </div>
      </form>
    </Modal>
  );
}
