/** Who is signed in on this browser. */

import { useSyncExternalStore } from "react";

import { endToken } from "../api/client";
import { Stored } from "./stored";

export interface Session {
  name: string;
  token: string;
}

const stored = new Stored<Session>(() => window.localStorage, "spillway.session");

export const currentSession = stored.get;
export const signIn = (session: Session): void => stored.set(session);
/** The server has ended the token, or knows it no longer. */
export const signedOut = (): void => stored.set(null);

/** Here at once; at the server, where other pages may use the token too, as soon as it hears of it. */
export function signOut(): void {
  const session = stored.get();
  stored.set(null);
  // Out of reach or ended already: there is nothing that its holder could do about it.
  if (session !== null) endToken(session.token).catch(() => undefined);
}

export const useSession = (): Session | null => useSyncExternalStore(stored.subscribe, stored.get);
