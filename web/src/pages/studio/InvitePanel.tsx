import { useState } from "react";

import { createInvite } from "../../api/client";
import { explain } from "../../api/problem";
import type { Invite } from "../../api/types";
import { CopyField } from "../../ui/CopyField";
import { ErrorNote } from "../../ui/ErrorNote";
import { moment } from "../../ui/format";
import { Icon } from "../../ui/icons";

/** Each link lets one host on stage. */
export function InvitePanel({ streamId, token, onInvited }: { streamId: string; token: string; onInvited: () => void }) {
  const [invite, setInvite] = useState<Invite | null>(null);
  const [error, setError] = useState<string | null>(null);
  const create = async (): Promise<void> => {
    try {
      setInvite(await createInvite(token, streamId));
      setError(null);
      onInvited();
    } catch (failure) {
      setError(explain(failure));
    }
  };
  return (
    <div className="panel stack">
      <h2>Bring somebody on stage</h2>
      {invite !== null && (
        <>
          <CopyField key={invite.invite} label="Link for one guest" value={invite.studio_url} testId="invite-link" />
          {invite.whip_url !== null && (
            <details>
              <summary>The guest uses OBS</summary>
              <CopyField label="WHIP address instead of the link" value={invite.whip_url} secret testId="invite-whip" />
            </details>
          )}
          <p className="hint">It works once, until {moment(invite.expires_at)}.</p>
        </>
      )}
      <button type="button" className="button" data-testid="invite-create" onClick={() => void create()}>
        <Icon name="share" />
        {invite === null ? "Create an invite link" : "Another guest"}
      </button>
      {error !== null && <ErrorNote text={error} />}
    </div>
  );
}
