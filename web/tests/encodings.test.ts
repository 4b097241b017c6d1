import { describe, expect, it } from "vitest";

import { codecOrder, sendEncodings } from "../src/whip/encodings";

const CODECS = [
  { mimeType: "video/VP8" },
  { mimeType: "video/rtx" },
  { mimeType: "video/VP9", sdpFmtpLine: "profile-id=0" },
  { mimeType: "video/H264", sdpFmtpLine: "packetization-mode=0;profile-level-id=42e01f" },
  { mimeType: "video/H264", sdpFmtpLine: "packetization-mode=1;profile-level-id=4d001f" },
  { mimeType: "video/H264", sdpFmtpLine: "packetization-mode=1;profile-level-id=42e01f" },
  { mimeType: "video/AV1" },
  { mimeType: "video/red" },
];
const [vp8, rtx, , mode0, main, baseline, , red] = CODECS;

describe("codecOrder", () => {
  it("prefers H.264, mode 1 and baseline first, with VP8 as the way out", () => {
    expect(codecOrder(CODECS, "auto")).toEqual([baseline, main, mode0, vp8, rtx, red]);
  });

  it("takes VP8 where there is no H.264", () => {
    expect(codecOrder([{ mimeType: "video/VP8" }, { mimeType: "video/rtx" }], "auto")).toEqual([vp8, rtx]);
  });

  it("offers nothing else when a codec was chosen", () => {
    expect(codecOrder(CODECS, "vp8")).toEqual([vp8, rtx, red]);
    expect(codecOrder(CODECS, "h264")).toEqual([baseline, main, mode0, rtx, red]);
  });

  it("leaves the browser's order when it lacks the choice", () => {
    expect(codecOrder([{ mimeType: "video/VP8" }], "h264")).toBeNull();
    expect(codecOrder([], "auto")).toBeNull();
  });
});

describe("sendEncodings", () => {
  it("lists h, m, l in this order", () => {
    expect(sendEncodings(720, 60, true)).toEqual([
      { rid: "h", maxBitrate: 2_500_000, scaleResolutionDownBy: 1, maxFramerate: 60 },
      { rid: "m", maxBitrate: 900_000, scaleResolutionDownBy: 2, maxFramerate: 30 },
      { rid: "l", maxBitrate: 300_000, scaleResolutionDownBy: 4, maxFramerate: 30 },
    ]);
  });

  it("is one nameless encoding without simulcast", () => {
    expect(sendEncodings(720, 30, false)).toEqual([{ maxBitrate: 2_500_000, maxFramerate: 30 }]);
  });
});
