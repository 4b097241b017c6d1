import { useCallback, useEffect, useRef, useState } from "react";

import { Link } from "../../app/router";
import { watchPath } from "../../app/routes";
import { Stored } from "../../app/stored";
import { ErrorNote } from "../../ui/ErrorNote";
import { Icon } from "../../ui/icons";
import { useStream } from "../watch/useStream";
import { Preview } from "./Preview";
import { changeSettings, useSettings } from "./settings";
import { SourcePanel } from "./SourcePanel";
import { StageActions } from "./StageActions";
import { StageGrid } from "./StageGrid";
import { useCapture } from "./useCapture";
import { useInvitation } from "./useInvitation";
import { useStage } from "./useStage";

const reentries = new Map<string, Stored<string>>();

/** What lets this tab in again after it was loaded anew. */
function reentryOf(streamId: string): Stored<string> {
  const known = reentries.get(streamId) ?? new Stored<string>(() => window.sessionStorage, `spillway.stage.${streamId}`);
  reentries.set(streamId, known);
  return known;
}

export const hasReentry = (streamId: string): boolean => reentryOf(streamId).get() !== null;

/** An invited host: hears whose stage it is, types a name, sees themselves, enters. */
export function GuestRoom({ streamId, invite, token }: { streamId: string; invite: string | null; token: string | null }) {
  const { stream, gateway } = useStream(streamId, token, null);
  const settings = useSettings();
  const capture = useCapture(() => changeSettings({ source: "camera" }));
  const keep = useCallback((reentry: string | null) => reentryOf(streamId).set(reentry), [streamId]);
  const stage = useStage(gateway, capture.stream, keep);
  const [name, setName] = useState("");
  const openMedia = capture.open;
  const passOf = useCallback(() => reentryOf(streamId).get() ?? invite, [streamId, invite]);
  const { invitation, refusal } = useInvitation(gateway, streamId, passOf);
  const welcome = invitation !== null;

  const asked = useRef(false);
  useEffect(() => {
    // Nobody is asked for their camera by an invite that leads nowhere.
    if (!welcome || asked.current) return;
    asked.current = true;
    void openMedia(changeSettings({ source: "camera" }));
  }, [openMedia, welcome]);

  const enter = async (): Promise<void> => {
    const media = capture.stream ?? (await openMedia(settings));
    if (media === null) return;
    const pass = passOf();
    await stage.enter({ ...(pass === null ? {} : { invite: pass }), ...(name.trim() === "" ? {} : { name: name.trim() }) }, media, settings);
  };

  const off = stage.state === "off" || stage.state === "entering";
  if (refusal !== null && off && stage.error === null) {
    return (
      <section className="page medium" data-testid="invite-refused">
        <div className="page-head">
          <h1>This invite lets nobody in</h1>
        </div>
        <div className="stack">
          <ErrorNote text={refusal} />
          {stream !== null && (
            <Link href={watchPath(streamId)} className="button">
              Watch the stream instead
            </Link>
          )}
        </div>
      </section>
    );
  }
  return (
    <section className="page studio">
      <div className="page-head">
        <div>
          <h1>{invitation?.title ?? "On stage"}</h1>
          {invitation !== null && <p className="hint">You are invited by {invitation.broadcaster_name}.</p>}
        </div>
      </div>
      <div className="studio-grid">
        <div className="studio-main">
          {off ? (
            <>
              <Preview stream={capture.stream} mirrored={settings.source === "camera"} state="idle" liveSinceMs={null} busy={capture.busy} />
              <form
                className="studio-actions"
                onSubmit={(event) => {
                  event.preventDefault();
                  void enter();
                }}
              >
                <label className="field">
                  <span className="label">Your name</span>
                  <input
                    data-testid="stage-name"
                    value={invitation?.name ?? name}
                    readOnly={(invitation?.name ?? null) !== null}
                    maxLength={64}
                    autoComplete="nickname"
                    onChange={(event) => setName(event.target.value)}
                  />
                </label>
                <button type="submit" className="button primary" data-testid="stage-enter" disabled={!welcome || capture.busy || stage.state === "entering"}>
                  <Icon name="live" />
                  Enter the stage
                </button>
              </form>
            </>
          ) : (
            <>
              <StageGrid stage={stage} media={capture.stream} mirrored={settings.source === "camera"} control={null} />
              <div className="studio-actions">
                <StageActions stage={stage} />
              </div>
            </>
          )}
          {capture.error !== null && <ErrorNote text={capture.error} onRetry={() => void openMedia(settings)} />}
          {stage.error !== null && <ErrorNote text={stage.error} />}
        </div>
        <div className="studio-side">
          <SourcePanel
            settings={settings}
            devices={capture.devices}
            stream={capture.stream}
            locked={!off}
            onChange={(change, reopen) => {
              const next = changeSettings(change);
              if (reopen) void openMedia(next);
            }}
            onShareScreen={() => void openMedia({ ...settings, source: "screen" })}
          />
        </div>
      </div>
    </section>
  );
}
