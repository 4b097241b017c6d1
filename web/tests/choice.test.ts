import { describe, expect, it } from "vitest";

import { ProblemError } from "../src/api/problem";
import type { Playback } from "../src/api/types";
import { TransportChoice } from "../src/player/choice";
import { isFinalForViewer } from "../src/whep/client";

const WEBRTC: Playback = { mode: "webrtc", whep_url: "/whep/s", manifest_url: "/m.m3u8", reason: "seat" };
const HLS: Playback = { ...WEBRTC, mode: "hls", reason: "full" };
const OFFLINE: Playback = { mode: "offline", whep_url: null, manifest_url: null, reason: "offline" };

describe("TransportChoice", () => {
  it("does as the server says", () => {
    const choice = new TransportChoice();
    expect(choice.handlePlayback(WEBRTC)).toEqual({ mode: "webrtc", whepUrl: "/whep/s" });
    expect(choice.handlePlayback(HLS)).toEqual({ mode: "hls", manifestUrl: "/m.m3u8" });
    expect(choice.handlePlayback(OFFLINE)).toEqual({ mode: "offline" });
  });

  it("goes to HLS without a seat, by the manifest that the refusal names, and back when one is free", () => {
    const choice = new TransportChoice();
    choice.handlePlayback({ ...WEBRTC, manifest_url: null });
    expect(choice.handleEnd("webrtc", "full", "/other.m3u8")).toEqual({ mode: "hls", manifestUrl: "/other.m3u8" });
    expect(choice.handlePlayback(WEBRTC)).toEqual({ mode: "webrtc", whepUrl: "/whep/s" });
  });

  it.each(["blocked", "unsupported"] as const)("stays on HLS when WebRTC is %s", (reason) => {
    const choice = new TransportChoice();
    choice.handlePlayback(WEBRTC);
    expect(choice.handleEnd("webrtc", reason, null)).toEqual({ mode: "hls", manifestUrl: "/m.m3u8" });
    expect(choice.handlePlayback(WEBRTC)).toEqual({ mode: "hls", manifestUrl: "/m.m3u8" });
  });

  it("is out of ways when both are", () => {
    const choice = new TransportChoice();
    choice.handlePlayback(WEBRTC);
    choice.handleEnd("webrtc", "blocked", null);
    expect(choice.handleEnd("hls", "unsupported", null)).toEqual({ mode: "none" });
  });

  it("has no way when there is no manifest to fall back to", () => {
    const choice = new TransportChoice();
    choice.handlePlayback({ ...WEBRTC, manifest_url: null });
    expect(choice.handleEnd("webrtc", "full", null)).toEqual({ mode: "none" });
  });

  it("comes back after the end of a broadcast", () => {
    const choice = new TransportChoice();
    choice.handlePlayback(WEBRTC);
    expect(choice.handleEnd("webrtc", "offline", null)).toEqual({ mode: "offline" });
    expect(choice.handlePlayback(WEBRTC)).toEqual({ mode: "webrtc", whepUrl: "/whep/s" });
  });
});

describe("isFinalForViewer", () => {
  const refusal = (status: number, manifestUrl?: string): ProblemError =>
    new ProblemError({ type: "t", title: "t", status, ...(manifestUrl ? { manifest_url: manifestUrl } : {}) });

  it("tries again what passes, and gives up what doesn't", () => {
    expect([408, 425, 429, 500, 502, 504, 503].map((status) => isFinalForViewer(refusal(status)))).not.toContain(true);
    expect([400, 401, 403, 404, 406, 409, 413].map((status) => isFinalForViewer(refusal(status)))).not.toContain(false);
    expect(isFinalForViewer(refusal(503, "/m.m3u8"))).toBe(true);
  });
});
