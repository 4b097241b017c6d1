/** Who is signed in on this browser. */

import { useSyncExternalStore } from "react";

import { Stored } from "./stored";

export interface Session {
  name: string;
  token: string;
}

const stored = new Stored<Session>(() => window.localStorage, "spillway.session");

export const currentSession = stored.get;
export const signIn = (session: Session): void => stored.set(session);
export const signOut = (): void => stored.set(null);
export const useSession = (): Session | null => useSyncExternalStore(stored.subscribe, stored.get);
