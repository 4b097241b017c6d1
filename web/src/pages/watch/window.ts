/** The window that one can seek in. Pure. */

import type { Thumbnail } from "../../api/types";

/** 4 h, the server's default. */
export const WINDOW_MAX_S = 4 * 3600;
/** Nearer than this to the edge, one means "live". */
export const LIVE_WITHIN_S = 5;

/** The last picture that was taken before a moment; null if there is none so early. */
export function thumbnailAt(thumbnails: readonly Thumbnail[], atMs: number): Thumbnail | null {
  return thumbnails.findLast(({ at }) => Date.parse(at) <= atMs) ?? thumbnails[0] ?? null;
}

export function windowLengthS(startedAt: string | null, nowMs: number): number {
  const started = startedAt === null ? Number.NaN : Date.parse(startedAt);
  if (Number.isNaN(started)) return WINDOW_MAX_S;
  return Math.min(WINDOW_MAX_S, Math.max(0, (nowMs - started) / 1000));
}
