import { useEffect, useMemo, useState } from "react";

import { changeHost, removeHost, setLayout } from "../../api/client";
import { explain } from "../../api/problem";
import type { LayoutTile, StageLayout, StageParticipant, StageView } from "../../api/types";
import { Arranger, custom, ofThose } from "../../stage/arranger";
import { Director } from "../../stage/director";
import { gridTiles, type Subject, subjectsOf } from "../../stage/tiles";
import { ErrorNote } from "../../ui/ErrorNote";
import { BackdropPicker } from "./BackdropPicker";
import type { HostControl } from "./HostTile";
import { LayoutPicker } from "./LayoutPicker";
import { ProgramPreview } from "./ProgramPreview";
import { StageActions } from "./StageActions";
import { StageGrid } from "./StageGrid";
import { TileCanvas } from "./TileCanvas";
import { TileTools } from "./TileTools";
import type { StageHook } from "./useStage";
import { useTileDraft } from "./useTileDraft";

interface Props {
  stage: StageHook;
  streamId: string;
  token: string;
  media: MediaStream | null;
  mirrored: boolean;
  live: boolean;
}

/** The stage as its owner sees it: hosts to direct, the layout, and the program. */
export function OwnerStage({ stage, streamId, token, media, mirrored, live }: Props) {
  const [error, setError] = useState<string | null>(null);
  const draft = useTileDraft();
  const attempt = (work: Promise<unknown>): void => {
    work.then(
      () => setError(null),
      (failure: unknown) => setError(explain(failure)),
    );
  };
  const layout: StageLayout = stage.view?.layout ?? { layout: "grid" };
  const arranger = useMemo(() => new Arranger((next) => setLayout(token, streamId, next)), [token, streamId]);
  const director = useMemo(
    () => new Director((participantId, change) => changeHost(token, streamId, participantId, change)),
    [token, streamId],
  );
  useEffect(() => {
    if (stage.view !== null) arranger.handleLayout(stage.view.layout);
  }, [arranger, stage.view]);
  const hosts = stage.view?.participants ?? [];
  const subjects = subjectsOf(hosts);
  const change = (make: (layout: StageLayout) => StageLayout): Promise<void> => {
    const here = new Set(hosts.map((host) => host.participant_id));
    return arranger.change((last) => ofThose(make(last), here));
  };
  const arrange = (make: (layout: StageLayout) => StageLayout): void => attempt(change(make));
  const control = (host: StageParticipant): HostControl => ({
    change: (change) => attempt(director.change(host.participant_id, change)),
    pin: () =>
      arrange(({ pinned, ...rest }) =>
        pinned === host.participant_id ? rest : { ...rest, pinned: host.participant_id },
      ),
    remove: () => attempt(removeHost(token, streamId, host.participant_id)),
  });
  return (
    <>
      <StageGrid stage={stage} media={media} mirrored={mirrored} control={control} />
      <div className="studio-actions">
        <StageActions stage={stage} />
      </div>
      <div className="panel program">
        <h2>Program</h2>
        <div className="program-picture">
          {live ? (
            <ProgramPreview streamId={streamId} token={token} />
          ) : (
            draft.tiles === null && <p className="hint">Not live yet.</p>
          )}
          {draft.tiles !== null && (
            <TileCanvas
              draft={draft}
              subjects={subjects}
              trackOf={({ participant_id, source }) =>
                participant_id === stage.participantId && source === "camera"
                  ? media?.getVideoTracks()[0]
                  : stage.tracks.get(participant_id)?.[source]
              }
            />
          )}
        </div>
        {draft.tiles !== null && (
          <TileTools
            draft={draft}
            subjects={subjects}
            onApply={(tiles) => change((last) => custom(last, tiles)).then(draft.close)}
          />
        )}
        {hosts.length < 2 && (
          <p className="hint" data-testid="layout-alone">
            One host is shown as they are. Layout, caption and images appear once a second host is on stage.
          </p>
        )}
        <LayoutPicker
          layout={layout}
          making={draft.tiles !== null}
          onMake={() => (draft.tiles === null ? draft.open(startOf(stage.view, subjects)) : draft.close())}
          onChange={(make) => {
            draft.close();
            arrange(make);
          }}
        />
        <BackdropPicker streamId={streamId} token={token} layout={layout} onChange={arrange} />
        {error !== null && <ErrorNote text={error} />}
      </div>
    </>
  );
}

/** From what the program shows now; the grid of all while it shows nobody. */
function startOf(view: StageView | null, subjects: readonly Subject[]): LayoutTile[] {
  const shown = view?.tiles ?? [];
  return shown.length > 0 ? shown : gridTiles(subjects);
}
