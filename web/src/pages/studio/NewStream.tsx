import { useState, type SyntheticEvent } from "react";

import { createStream } from "../../api/client";
import { explain } from "../../api/problem";
import type { Visibility } from "../../api/types";
import { navigate } from "../../app/router";
import { studioPath } from "../../app/routes";
import { keepCreated } from "../../app/streamSecrets";
import { ErrorNote } from "../../ui/ErrorNote";
import { StreamFields } from "../dashboard/StreamFields";

export function NewStream({ token }: { token: string }) {
  const [draft, setDraft] = useState({ title: "", category: "", visibility: "public" as Visibility });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const submit = async (event: SyntheticEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const created = await createStream(token, { ...draft, category: draft.category.trim() || "general" });
      keepCreated(created);
      navigate(studioPath(created.stream_id));
    } catch (failure) {
      setError(explain(failure));
      setBusy(false);
    }
  };

  return (
    <form className="panel" onSubmit={(event) => void submit(event)}>
      <h2>New stream</h2>
      <StreamFields value={draft} onChange={setDraft} />
      {error !== null && <ErrorNote text={error} />}
      <button type="submit" className="button primary wide" data-testid="create-stream" disabled={busy}>
        Create stream
      </button>
    </form>
  );
}
