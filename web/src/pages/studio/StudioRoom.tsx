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
import { InvitePanel } from "./InvitePanel";
import { OwnerStage } from "./OwnerStage";
import { Preview } from "./Preview";
import { changeSettings, useSettings } from "./settings";
import { SourcePanel } from "./SourcePanel";
import { useBroadcast } from "./useBroadcast";
import { useCapture } from "./useCapture";
import { useStage } from "./useStage";

/** The owner's page gets in again by its account. */
const forgetReentry = (): void => undefined;

/** The owner's room: alone with a preview, or on stage beside other hosts. */
export function StudioRoom({ streamId, token }: { streamId: string; token: string }) {
  const { stream, gateway, error: streamError } = useStream(streamId, token, null);
  const secrets = useSecrets(streamId);
  const settings = useSettings();
  const capture = useCapture(() => changeSettings({ source: "camera" }));
  const broadcast = useBroadcast(capture.stream);
  const stage = useStage(gateway, capture.stream, forgetReentry);
  const [invited, setInvited] = useState(false);
  const [keyError, setKeyError] = useState<string | null>(null);
  const openMedia = capture.open;
  const idle = broadcast.state === "idle" || broadcast.state === "error";

  useEffect(() => {
    void openMedia(changeSettings({ source: "camera" }));
  }, [openMedia]);

  const onStage = stage.state === "on" || stage.state === "reconnecting";
  const stageInUse = invited || (stage.view?.participants.length ?? 0) > 0;

  const enterStage = async (): Promise<void> => {
    const media = capture.stream ?? (await openMedia(settings));
    if (media === null || !(await stage.enter({}, media, settings))) return;
    // Only now: the program must not be without a source in between.
    if (!idle) await broadcast.stop();
  };

  const goLive = async (): Promise<void> => {
    if (stageInUse && broadcast.state === "idle" && stream?.status !== "live") return enterStage();
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
          {onStage ? (
            <OwnerStage
              stage={stage}
              streamId={streamId}
              token={token}
              media={capture.stream}
              mirrored={settings.source === "camera"}
              live={stream?.status === "live"}
            />
          ) : (
            <Preview
              stream={capture.stream}
              mirrored={settings.source === "camera"}
              state={broadcast.state}
              liveSinceMs={broadcast.liveSinceMs}
              busy={capture.busy}
            />
          )}
          {!onStage && (
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
              <button
                type="button"
                className="button"
                data-testid="stage-enter"
                disabled={capture.busy || stage.state === "entering"}
                onClick={() => void enterStage()}
              >
                <Icon name="viewers" />
                Enter the stage
              </button>
              {idle && secrets === null && (
                <p className="hint">This tab doesn’t know the stream’s key. A new one ends what runs on the old one.</p>
              )}
              {elsewhere && secrets !== null && (
                <p className="hint">Live from another encoder now. “Go live” takes over from it.</p>
              )}
              {!idle && <BroadcastStats stats={broadcast.stats} />}
            </div>
          )}
          {[capture.error, broadcast.error, keyError, stage.error].map(
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
            locked={!idle || onStage}
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
          <InvitePanel streamId={streamId} token={token} onInvited={() => setInvited(true)} />
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
