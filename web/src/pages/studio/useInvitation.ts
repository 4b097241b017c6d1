import { useEffect, useState } from "react";

import type { Gateway } from "../../api/gateway";
import { ProblemError } from "../../api/problem";

/** What an invite is for. */
export interface Invitation {
  stream_id: string;
  title: string;
  broadcaster_name: string;
  /** Null: the guest chooses. */
  name: string | null;
}

export interface InvitationHook {
  /** Null until the server has answered. */
  invitation: Invitation | null;
  /** Why the invite lets nobody in. */
  refusal: string | null;
}

/** Looks, without using it, at what `passOf` gives: an invite, or what lets this tab in again. */
export function useInvitation(gateway: Gateway, streamId: string, passOf: () => string | null): InvitationHook {
  const [found, setFound] = useState<InvitationHook>({ invitation: null, refusal: null });
  useEffect(() => {
    let current = true;
    const look = async (): Promise<void> => {
      try {
        const invitation = await gateway.request<Invitation>("stage:look", { invite: passOf() ?? "" });
        const refusal = invitation.stream_id === streamId ? null : "This invite is for another stream.";
        if (current) setFound({ invitation: refusal === null ? invitation : null, refusal });
      } catch (failure) {
        // No answer: the next connection asks again.
        if (current && failure instanceof ProblemError) setFound({ invitation: null, refusal: failure.message });
      }
    };
    const off = gateway.events.on("connected", () => void look());
    if (gateway.connected) void look();
    return () => {
      current = false;
      off();
    };
  }, [gateway, streamId, passOf]);
  return found;
}
