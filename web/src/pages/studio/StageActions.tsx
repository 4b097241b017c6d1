import { Icon } from "../../ui/icons";
import type { StageHook } from "./useStage";

const WORDS = { off: "Off stage", entering: "Entering…", on: "On stage", reconnecting: "Reconnecting…" };

/** What every host on stage can do. */
export function StageActions({ stage }: { stage: StageHook }) {
  const canShare = "getDisplayMedia" in ((navigator.mediaDevices as MediaDevices | undefined) ?? {});
  return (
    <>
      <button type="button" className="button" data-testid="stage-leave" onClick={() => void stage.leave()}>
        Leave the stage
      </button>
      {canShare && (
        <button
          type="button"
          className="button"
          data-testid="share-screen"
          aria-pressed={stage.sharing}
          onClick={() => void (stage.sharing ? stage.unshare() : stage.share())}
        >
          <Icon name="screen" />
          {stage.sharing ? "Stop sharing" : "Share screen"}
        </button>
      )}
      <span className="badge" data-testid="stage-state" data-state={stage.state} role="status">
        {WORDS[stage.state]}
      </span>
    </>
  );
}
