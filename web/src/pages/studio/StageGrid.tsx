import { useMemo } from "react";

import type { StageLayout, StageParticipant, StageView } from "../../api/types";
import type { HostTracks } from "../../stage/subscriber";
import { HostTile, type HostControl } from "./HostTile";
import { useHostQuality } from "./useHostQuality";
import type { StageHook } from "./useStage";

interface Props {
  stage: StageHook;
  media: MediaStream | null;
  mirrored: boolean;
  /** Null: this page is no owner's. */
  control: ((host: StageParticipant) => HostControl) | null;
}

/** The hosts beside each other, oneself first. */
export function StageGrid({ stage, media, mirrored, control }: Props) {
  const quality = useHostQuality(stage);
  const own = useMemo<HostTracks>(() => {
    const camera = media?.getVideoTracks()[0];
    return camera === undefined ? {} : { camera };
  }, [media]);
  const { view, participantId } = stage;
  if (view === null) return null;
  const hosts = ordered(view, participantId);
  return (
    <div className="stage-grid" data-testid="stage-grid" data-hosts={hosts.length}>
      {hosts.map((host) => {
        const isOwn = host.participant_id === participantId;
        return (
          <HostTile
            key={host.participant_id}
            host={host}
            own={isOwn}
            tracks={isOwn ? own : (stage.tracks.get(host.participant_id) ?? {})}
            mirrored={isOwn && mirrored}
            pinned={pinnedIn(view.layout) === host.participant_id}
            quality={quality.get(host.participant_id) ?? null}
            control={control === null ? null : control(host)}
          />
        );
      })}
    </div>
  );
}

const pinnedIn = (layout: StageLayout): string | null => layout.pinned ?? null;

const ordered = (view: StageView, self: string | null): StageParticipant[] => [
  ...view.participants.filter((each) => each.participant_id === self),
  ...view.participants.filter((each) => each.participant_id !== self),
];
