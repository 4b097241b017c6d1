import type { Playback } from "../api/types";

/** The two things the player wants to know of a master playlist (RFC 8216 section 4.3.4). */

export const countVariants = (playlist: string): number =>
  playlist.split("\n").filter((line) => line.startsWith("#EXT-X-STREAM-INF:")).length;

/** The window's own URL, or `.../manifest.m3u8` -> `.../dvr.m3u8` in the same directory, query kept. Null: no window. */
export function dvrUrl(playback: Playback, base: string): string | null {
  const { dvr_url: told, manifest_url: manifestUrl } = playback;
  if (told !== undefined) return told;
  if (manifestUrl === null) return null;
  const url = new URL(manifestUrl, base);
  url.pathname = url.pathname.replace(/[^/]*$/, "dvr.m3u8");
  return url.href;
}

/** Names of the rungs: height, and the frame rate where it is more than the usual 30. */
export function rungLabel(height: number, frameRate: number | undefined, bitrate: number): string {
  if (height <= 0) return `${Math.round(bitrate / 1000)} kb/s`;
  return frameRate !== undefined && frameRate > 32 ? `${height}p${Math.round(frameRate)}` : `${height}p`;
}
