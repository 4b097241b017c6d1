/** What a player is, whatever the transport: WhepPlayer and HlsPlayer implement it, PlayerController chooses. */

import type { ProblemError } from "../api/problem";
import type { Emitter } from "../api/emitter";

export type PlayerMode = "webrtc" | "hls";

/** `connecting` until the first picture or sound; `reconnecting` when it was there and stopped. */
export type PlayerState = "connecting" | "playing" | "reconnecting";

export interface Quality {
  id: string;
  label: string;
}

export const AUTO: Quality = { id: "auto", label: "Auto" };

export interface PlayerStats {
  mode: PlayerMode;
  /** Estimated age of the picture on arrival at the eye, ms. */
  latencyMs: number | null;
  bitrateBps: number | null;
  width: number;
  height: number;
  framesPerSecond: number | null;
  videoCodec: string | null;
  audioCodec: string | null;
  /** Fraction of packets lost since the last sample, 0..1. */
  lossRatio: number | null;
  /** Freezes (WebRTC) or dropped frames (HLS) since the start. */
  freezes: number | null;
  droppedFrames: number | null;
  roundTripMs: number | null;
}

/** Why a player ended by itself. */
export type EndReason =
  /** Not live. */
  | "offline"
  /** No seat: the stream goes on over HLS. */
  | "full"
  /** No codec in common over this transport. */
  | "unsupported"
  /** UDP and TCP don't get through. */
  | "blocked"
  /** This stream, or this token, isn't to be watched. */
  | "refused";

export interface PlayerEnd {
  reason: EndReason;
  problem: ProblemError | null;
}

export interface PlayerEvents {
  state: PlayerState;
  qualities: Quality[];
  ended: PlayerEnd;
}

export interface Player {
  readonly mode: PlayerMode;
  readonly events: Emitter<PlayerEvents>;
  readonly state: PlayerState;
  readonly qualities: Quality[];
  readonly quality: string;
  /** Connect, then show on the element as soon as it is this player's turn (`attach`). */
  start(): void;
  attach(video: HTMLVideoElement): void;
  stop(): void;
  /** The server's news: look whether there are other qualities now. */
  refresh(): Promise<void>;
  stats(): Promise<PlayerStats | null>;
  /** Rejects when the choice can't be met; the old one stays. */
  setQuality(id: string): Promise<void>;
}
