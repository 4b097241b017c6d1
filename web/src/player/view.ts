/** What the page shows of the player. */

import { AUTO, type PlayerMode, type Quality } from "./player";

export type ViewState = "idle" | "connecting" | "playing" | "reconnecting" | "offline" | "error";

export interface PlayerView {
  state: ViewState;
  mode: PlayerMode | null;
  qualities: Quality[];
  quality: string;
  /** For the person watching: why there is an error. */
  message: string | null;
  /** The server keeps a window to seek in. */
  canSeek: boolean;
  /** Watching behind the live edge, or a recording. */
  shifted: boolean;
  /** Watching a recording. */
  replaying: boolean;
}

export const IDLE: PlayerView = {
  state: "idle",
  mode: null,
  qualities: [AUTO],
  quality: AUTO.id,
  message: null,
  canSeek: false,
  shifted: false,
  replaying: false,
};
