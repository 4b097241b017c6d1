import { describe, expect, it } from "vitest";

import { sampleReceiver } from "../src/player/webrtcStats";
import { samplePublisher } from "../src/pages/studio/publishStats";

const receiver = (seconds: number, extra: object = {}) => [
  { id: "T", type: "transport", selectedCandidatePairId: "P" },
  { id: "X", type: "candidate-pair", nominated: true, currentRoundTripTime: 9 },
  { id: "P", type: "candidate-pair", currentRoundTripTime: 0.02 },
  { id: "CV", type: "codec", mimeType: "video/H264" },
  { id: "CA", type: "codec", mimeType: "audio/opus" },
  { id: "A", type: "inbound-rtp", kind: "audio", codecId: "CA", timestamp: seconds * 1000, bytesReceived: 1000 * seconds, packetsReceived: 50 * seconds, packetsLost: 0 },
  {
    id: "V",
    type: "inbound-rtp",
    kind: "video",
    codecId: "CV",
    timestamp: seconds * 1000,
    bytesReceived: 9000 * seconds,
    packetsReceived: 148 * seconds,
    packetsLost: 2 * seconds,
    jitterBufferDelay: 0.9 * seconds,
    jitterBufferEmittedCount: 30 * seconds,
    framesDecoded: 30 * seconds,
    frameWidth: 1280,
    frameHeight: 720,
    freezeCount: 1,
    framesDropped: 4,
    ...extra,
  },
];

describe("sampleReceiver", () => {
  it("takes rates from the difference of two reports", () => {
    const first = sampleReceiver(receiver(10), null);
    const second = sampleReceiver(receiver(12), first.totals);
    expect(second.stats).toEqual({
      mode: "webrtc",
      // 30 ms of jitter buffer + half of 20 ms.
      latencyMs: expect.closeTo(40, 6) as number,
      bitrateBps: 80_000,
      width: 1280,
      height: 720,
      framesPerSecond: 30,
      videoCodec: "H264",
      audioCodec: "opus",
      lossRatio: 0.01,
      freezes: 1,
      droppedFrames: 4,
      roundTripMs: 20,
    });
  });

  it("has an estimate of latency from the first report on, and no rates", () => {
    const { stats } = sampleReceiver(receiver(10), null);
    expect(stats.latencyMs).toBeCloseTo(40, 6);
    expect(stats.bitrateBps).toBeNull();
  });

  it("finds the pair by its flag where there is no transport entry", () => {
    const { stats } = sampleReceiver(receiver(10).slice(1), null);
    expect(stats.roundTripMs).toBe(9000);
  });

  it("counts no negative loss when late packets arrive", () => {
    const first = sampleReceiver(receiver(10), null);
    const second = sampleReceiver(receiver(11, { packetsLost: 5 }), first.totals);
    expect(second.stats.lossRatio).toBe(0);
  });

  it("stands a report without media", () => {
    expect(sampleReceiver([], null).stats).toMatchObject({ latencyMs: null, width: 0, videoCodec: null });
  });

  it("measures sound when there is no picture", () => {
    const audio = [{ id: "A", type: "inbound-rtp", kind: "audio", timestamp: 1000, jitterBufferDelay: 2, jitterBufferEmittedCount: 100 }];
    expect(sampleReceiver(audio, null).stats.latencyMs).toBe(20);
  });
});

describe("samplePublisher", () => {
  const report = (seconds: number) => [
    { id: "C", type: "codec", mimeType: "video/VP8" },
    { id: "A", type: "outbound-rtp", kind: "audio", timestamp: seconds * 1000, bytesSent: 4000 * seconds },
    { id: "l", type: "outbound-rtp", kind: "video", rid: "l", codecId: "C", bytesSent: 1000 * seconds, frameWidth: 320, frameHeight: 180, framesPerSecond: 30, qualityLimitationReason: "none" },
    { id: "h", type: "outbound-rtp", kind: "video", rid: "h", codecId: "C", bytesSent: 5000 * seconds, frameWidth: 1280, frameHeight: 720, framesPerSecond: 28, qualityLimitationReason: "cpu" },
    { id: "m", type: "outbound-rtp", kind: "video", rid: "m", codecId: "C", bytesSent: 0, framesPerSecond: 0 },
    { id: "r", type: "remote-inbound-rtp", roundTripTime: 0.035, fractionLost: 0.02 },
  ];

  it("sums encodings and names the largest", () => {
    const { stats } = samplePublisher(report(6), samplePublisher(report(4), null).totals);
    expect(stats).toEqual({
      bitrateBps: 80_000,
      framesPerSecond: 30,
      width: 1280,
      height: 720,
      encodings: ["h", "l"],
      codec: "VP8",
      roundTripMs: 35,
      lossRatio: 0.02,
      limitation: "cpu",
    });
  });

  it("stands a report without media", () => {
    expect(samplePublisher([], null).stats).toMatchObject({ bitrateBps: null, encodings: [], limitation: "none" });
  });
});
