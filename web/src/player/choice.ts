/** Which transport to watch over. Pure: what the server says and what went wrong so far decide. */

import type { Playback } from "../api/types";
import type { EndReason, PlayerMode } from "./player";

export type Choice =
  | { mode: "webrtc"; whepUrl: string }
  | { mode: "hls"; manifestUrl: string }
  | { mode: "offline" }
  /** The stream is live and this browser can get it neither way. */
  | { mode: "none" };

export class TransportChoice {
  /** WebRTC is out for this page: blocked, or no codec in common. A seat that frees up changes nothing then. */
  webrtcBarred = false;
  /** No seat; ends when the server says "webrtc" again. */
  private full = false;
  private hlsBarred = false;
  private playback: Playback | null = null;
  private manifestUrl: string | null = null;

  handlePlayback(playback: Playback): Choice {
    this.playback = playback;
    if (playback.mode === "webrtc") this.full = false;
    if (playback.manifest_url !== null) this.manifestUrl = playback.manifest_url;
    return this.choose();
  }

  /** A player ended by itself. `manifestUrl`: where the problem document says the stream plays instead. */
  handleEnd(mode: PlayerMode, reason: EndReason, manifestUrl: string | null): Choice {
    if (manifestUrl !== null) this.manifestUrl = manifestUrl;
    if (reason === "offline") {
      // Only a hint: HLS starts some seconds after WebRTC does. The caller asks the server again.
      this.playback = null;
      return { mode: "offline" };
    }
    if (mode === "hls") this.hlsBarred = true;
    else if (reason === "full") this.full = true;
    else this.webrtcBarred = true;
    return this.choose();
  }

  private choose(): Choice {
    const { playback } = this;
    if (playback === null || playback.mode === "offline") return { mode: "offline" };
    const webrtc = playback.mode === "webrtc" && !this.full && !this.webrtcBarred && playback.whep_url !== null;
    if (webrtc && playback.whep_url !== null) return { mode: "webrtc", whepUrl: playback.whep_url };
    if (this.manifestUrl !== null && !this.hlsBarred) return { mode: "hls", manifestUrl: this.manifestUrl };
    return { mode: "none" };
  }
}

export function sameChoice(a: Choice, b: Choice): boolean {
  if (a.mode === "webrtc" && b.mode === "webrtc") return a.whepUrl === b.whepUrl;
  if (a.mode === "hls" && b.mode === "hls") return a.manifestUrl === b.manifestUrl;
  return a.mode === b.mode;
}
