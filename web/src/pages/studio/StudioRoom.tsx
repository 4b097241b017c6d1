import { useEffect, useState } from "react";

import { rotateKey } from "../../api/client";
import { explain } from "../../api/problem";
import { Link } from "../../app/router";
import { watchPath } from "../../app/routes";
import { keepRotated, useSecrets } from "../../app/streamSecrets";
import { CopyButton } from "../../ui/CopyField";
import { ErrorNote } from "../../ui/ErrorNote";
import { Icon } from "../../ui/icons";
import { ViewerCount } from "../../ui/Badges";
import { EncoderLinks } from "../dashboard/EncoderLinks";
import { useStream } from "../watch/useStream";
import { BroadcastStats } from "./BroadcastStats";
import { Preview } from "./Preview";
import { changeSettings, useSettings } from "./settings";
import { SourcePanel } from "./SourcePanel";
import { useBroadcast } from "./useBroadcast";
import { useCapture } from "./useCapture";

/** The room of one host. The preview column is where other hosts will stand beside this one. */
export function StudioRoom({ streamId, token }: { streamId: string; token: string }) {
  const { stream, error: streamError } = useStream(streamId, token, null);
  const secrets = useSecrets(streamId);
  const settings = useSettings();
  const capture = useCapture(() => changeSettings({ source: "camera" }));
  const broadcast = useBroadcast(capture.stream);
  const [keyError, setKeyError] = useState<string | null>(null);
  const openMedia = capture.open;
  const idle = broadcast.state === "idle" || broadcast.state === "error";

  useEffect(() => {
    void openMedia(changeSettings({ source: "camera" }));
  }, [openMedia]);

  const goLive = async (): Promise<void> => {
    const media = capture.stream ?? (await openMedia(settings));
    if (media !== null && secrets !== null) broadcast.goLive(secrets.stream_key, media, settings);
  };

  const renewKey = async (): Promise<void> => {
    try {
      keepRotated(streamId, await rotateKey(token, streamId));
      setKeyError(null);
    } catch (failure) {
      setKeyError(explain(failure));
    }
  };

  const elsewhere = idle && stream?.status === "live";

  return (
    <section className="page studio">
      <div className="page-head">
        <div>
          <h1>{stream?.title ?? "Studio"}</h1>
          {stream !== null && (
            <p className="hint">
              <span className="category">{stream.category}</span>
            </p>
          )}
        </div>
        <div className="studio-share">
          {stream !== null && <ViewerCount total={stream.viewers.total} />}
          <Link href={watchPath(streamId)} className="button quiet">
            Watch page
          </Link>
          <CopyButton value={window.location.origin + watchPath(streamId)} label="Copy the link to this stream" text="Share" icon="share" />
        </div>
      </div>
      {streamError !== null && <ErrorNote text={streamError} />}
      <div className="studio-grid">
        <div className="studio-main">
          <Preview
            stream={capture.stream}
            mirrored={settings.source === "camera"}
            state={broadcast.state}
            liveSinceMs={broadcast.liveSinceMs}
            busy={capture.busy}
          />
          <div className="studio-actions">
            {!idle ? (
              <button type="button" className="button" data-testid="stop-live" onClick={() => void broadcast.stop()}>
                Stop
              </button>
            ) : secrets === null ? (
              <button type="button" className="button primary" data-testid="renew-key" onClick={() => void renewKey()}>
                <Icon name="key" />
                Create new key
              </button>
            ) : (
              <button
                type="button"
                className="button live"
                data-testid="go-live"
                disabled={capture.busy}
                onClick={() => void goLive()}
              >
                <Icon name="live" />
                Go live
              </button>
            )}
            {idle && secrets === null && (
              <p className="hint">This tab doesn’t know the stream’s key. A new one ends what runs on the old one.</p>
            )}
            {elsewhere && secrets !== null && (
              <p className="hint">Live from another encoder now. “Go live” takes over from it.</p>
            )}
            {!idle && <BroadcastStats stats={broadcast.stats} />}
          </div>
          {[capture.error, broadcast.error, keyError].map(
            (text, index) =>
              text !== null && (
                <ErrorNote
                  key={index}
                  text={text}
                  {...(text === capture.error ? { onRetry: () => void openMedia(settings) } : {})}
                />
              ),
          )}
        </div>
        <div className="studio-side">
          <SourcePanel
            settings={settings}
            devices={capture.devices}
            stream={capture.stream}
            locked={!idle}
            onChange={(change, reopen) => {
              const next = changeSettings(change);
              if (reopen) void openMedia(next);
            }}
            onShareScreen={() => {
              void openMedia({ ...settings, source: "screen" }).then((shared) => {
                if (shared !== null) changeSettings({ source: "screen" });
              });
            }}
          />
          <details className="panel" open={secrets !== null}>
            <summary>
              <h2>Stream from OBS</h2>
            </summary>
            <EncoderLinks streamId={streamId} token={token} />
          </details>
        </div>
      </div>
    </section>
  );
}
