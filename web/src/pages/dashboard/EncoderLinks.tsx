import { useState } from "react";

import { rotateKey } from "../../api/client";
import { explain } from "../../api/problem";
import { keepRotated, splitRtmp, useSecrets, type StreamSecrets } from "../../app/streamSecrets";
import { CopyField } from "../../ui/CopyField";
import { ErrorNote } from "../../ui/ErrorNote";
import { Icon } from "../../ui/icons";
import { Modal } from "../../ui/Modal";

/** What OBS and other encoders need, and the key they need it with. */
export function EncoderLinks({ streamId, token }: { streamId: string; token: string }) {
  const secrets = useSecrets(streamId);
  return (
    <div className="encoder-links">
      {secrets === null ? (
        <>
          <CopyField label="WHIP server" value={`${window.location.origin}/whip`} testId="whip-url" />
          <p className="hint">
            A stream key is shown only in the tab that created it. Here you need a new one; the old one stops working then.
          </p>
        </>
      ) : (
        <Links secrets={secrets} />
      )}
      <NewKey streamId={streamId} token={token} first={secrets === null} />
    </div>
  );
}

function Links({ secrets }: { secrets: StreamSecrets }) {
  const rtmp = secrets.ingest_url === null ? null : splitRtmp(secrets.ingest_url);
  return (
    <>
      <CopyField label="WHIP server" value={secrets.whip_url} testId="whip-url" />
      <CopyField label="Stream key (bearer token)" value={secrets.stream_key} secret testId="stream-key" />
      {rtmp !== null && <CopyField label="RTMP server" value={rtmp.server} testId="rtmp-url" />}
      {rtmp !== null && rtmp.key !== secrets.stream_key && (
        <CopyField label="RTMP stream key" value={rtmp.key} secret />
      )}
      {secrets.srt_url !== null && <CopyField label="SRT address" value={secrets.srt_url} secret testId="srt-url" />}
      <p className="hint">
        In OBS: Settings › Stream › Service “WHIP”. Paste the server and the key. Set the keyframe interval to 2 s and
        B-frames to 0.
      </p>
    </>
  );
}

function NewKey({ streamId, token, first }: { streamId: string; token: string; first: boolean }) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const rotate = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      keepRotated(streamId, await rotateKey(token, streamId));
      setAsking(false);
    } catch (failure) {
      setError(explain(failure));
    }
    setBusy(false);
  };

  return (
    <>
      <button
        type="button"
        className={first ? "button" : "button quiet"}
        data-testid="rotate-key"
        onClick={() => setAsking(true)}
      >
        <Icon name="key" />
        Create new key
      </button>
      {asking && (
        <Modal title="Create a new key?" onClose={() => setAsking(false)}>
          <p className="hint">The old key stops working at once, and a broadcast that uses it ends.</p>
          {error !== null && <ErrorNote text={error} />}
          <div className="modal-actions">
            <button type="button" className="button quiet" onClick={() => setAsking(false)}>
              Cancel
            </button>
            <button
              type="button"
              className="button primary"
              data-testid="rotate-confirm"
              disabled={busy}
              onClick={() => void rotate()}
            >
              Create new key
            </button>
          </div>
        </Modal>
      )}
    </>
  );
}
