import { useEffect, useMemo, useState } from "react";

import { changeHost, removeHost, setLayout } from "../../api/client";
import { explain } from "../../api/problem";
import type { StageLayout, StageParticipant } from "../../api/types";
import { Arranger } from "../../stage/arranger";
import { ErrorNote } from "../../ui/ErrorNote";
import { BackdropPicker } from "./BackdropPicker";
import type { HostControl } from "./HostTile";
import { LayoutPicker } from "./LayoutPicker";
import { ProgramPreview } from "./ProgramPreview";
import { StageGrid } from "./StageGrid";
import type { StageHook } from "./useStage";

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
  const attempt = (work: Promise<unknown>): void => {
    work.then(
      () => setError(null),
      (failure: unknown) => setError(explain(failure)),
    );
  };
  const layout: StageLayout = stage.view?.layout ?? { layout: "grid" };
  const arranger = useMemo(() => new Arranger((next) => setLayout(token, streamId, next)), [token, streamId]);
  useEffect(() => {
    if (stage.view !== null) arranger.handleLayout(stage.view.layout);
  }, [arranger, stage.view]);
  const arrange = (make: (layout: StageLayout) => StageLayout): void => attempt(arranger.change(make));
  const control = (host: StageParticipant): HostControl => ({
    change: (change) => attempt(changeHost(token, streamId, host.participant_id, change)),
    pin: () =>
      arrange(({ pinned, ...rest }) =>
        pinned === host.participant_id ? rest : { ...rest, pinned: host.participant_id },
      ),
    remove: () => attempt(removeHost(token, streamId, host.participant_id)),
  });
  return (
    <>
      <StageGrid stage={stage} media={media} mirrored={mirrored} control={control} />
      <div className="panel program">
        <h2>Program</h2>
        {live ? <ProgramPreview streamId={streamId} token={token} /> : <p className="hint">Not live yet.</p>}
        <LayoutPicker layout={layout} onChange={arrange} />
        <BackdropPicker streamId={streamId} token={token} layout={layout} onChange={arrange} />
        {error !== null && <ErrorNote text={error} />}
      </div>
    </>
  );
}
