import { describe, expect, it } from "vitest";

import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, backoffMs, Recovery } from "../src/rtc/recovery";

/** A connection that came up at t = 1000. */
function connected(random = 0): Recovery {
  const recovery = new Recovery(() => random);
  expect(recovery.start()).toBe("join");
  recovery.handle({ kind: "negotiated" }, 900);
  recovery.handle({ kind: "connected" }, 1000);
  return recovery;
}

describe("backoffMs", () => {
  it("doubles its ceiling from 1 s to 10 s and never falls below 0.5 s", () => {
    expect([0, 1, 2, 3, 4, 5, 1000].map((attempt) => backoffMs(attempt, 1))).toEqual([
      1000, 2000, 4000, 8000, 10_000, 10_000, 10_000,
    ]);
    expect([0, 3, 1000].map((attempt) => backoffMs(attempt, 0))).toEqual([500, 500, 500]);
  });

  it("spreads evenly in between", () => {
    expect(backoffMs(20, 0.5)).toBe((BACKOFF_MIN_MS + BACKOFF_MAX_MS) / 2);
  });
});

describe("Recovery", () => {
  it("restarts ICE after a second of silence", () => {
    const recovery = connected();
    expect(recovery.handle({ kind: "disconnected" }, 2000)).toBeNull();
    expect(recovery.deadline).toEqual({ reason: "grace", atMs: 3000 });
    expect(recovery.handleTimeout(2999)).toBeNull();
    expect(recovery.handleTimeout(3000)).toBe("restart-ice");
    expect(recovery.deadline).toEqual({ reason: "restart", atMs: 8000 });
  });

  it("does nothing when the silence ends by itself", () => {
    const recovery = connected();
    recovery.handle({ kind: "disconnected" }, 2000);
    recovery.handle({ kind: "connected" }, 2500);
    expect(recovery.deadline).toBeNull();
    expect(recovery.handleTimeout(9000)).toBeNull();
    expect(recovery.phase).toBe("connected");
  });

  it("restarts ICE at once on failure", () => {
    expect(connected().handle({ kind: "failed" }, 2000)).toBe("restart-ice");
  });

  it("joins afresh with backoff when the restart is refused", () => {
    const recovery = connected(1);
    recovery.handle({ kind: "failed" }, 2000);
    expect(recovery.handle({ kind: "restart-refused" }, 2100)).toBeNull();
    expect(recovery.deadline).toEqual({ reason: "backoff", atMs: 3100 });
    expect(recovery.iceFailures).toBe(0);
    expect(recovery.handleTimeout(3100)).toBe("join");
  });

  it("joins afresh when the restart brings no media, and counts that", () => {
    const recovery = connected();
    recovery.handle({ kind: "failed" }, 2000);
    expect(recovery.handleTimeout(7000)).toBeNull();
    expect(recovery.iceFailures).toBe(1);
    expect(recovery.phase).toBe("backoff");
  });

  it("counts joins without media in a row, and forgets them once media flowed", () => {
    const recovery = new Recovery(() => 0);
    recovery.start();
    recovery.handle({ kind: "negotiated" }, 0);
    recovery.handleTimeout(8000);
    recovery.handleTimeout(8500);
    recovery.handle({ kind: "negotiated" }, 8600);
    recovery.handle({ kind: "failed" }, 9000);
    expect(recovery.iceFailures).toBe(2);
    recovery.handleTimeout(9500);
    recovery.handle({ kind: "negotiated" }, 9600);
    recovery.handle({ kind: "connected" }, 9700);
    expect(recovery.iceFailures).toBe(0);
  });

  it("waits as long as the server says", () => {
    const recovery = new Recovery(() => 0);
    recovery.start();
    recovery.handle({ kind: "join-failed", retryAfterMs: 30_000 }, 100);
    expect(recovery.deadline).toEqual({ reason: "backoff", atMs: 30_100 });
  });

  it("backs off further with each failed join", () => {
    const recovery = new Recovery(() => 1);
    recovery.start();
    const delays: number[] = [];
    let now = 0;
    for (let i = 0; i < 5; i += 1) {
      recovery.handle({ kind: "join-failed", retryAfterMs: null }, now);
      const at = recovery.deadline?.atMs ?? Number.NaN;
      delays.push(at - now);
      now = at;
      expect(recovery.handleTimeout(now)).toBe("join");
    }
    expect(delays).toEqual([1000, 2000, 4000, 8000, 10_000]);
  });

  it("cuts a backoff short when the browser is online again, and only a backoff", () => {
    const recovery = new Recovery(() => 1);
    recovery.start();
    expect(recovery.handle({ kind: "online" }, 0)).toBeNull();
    recovery.handle({ kind: "join-failed", retryAfterMs: null }, 0);
    expect(recovery.handle({ kind: "online" }, 10)).toBe("join");
  });

  it("is deaf once stopped", () => {
    const recovery = connected();
    recovery.stop();
    expect(recovery.handle({ kind: "failed" }, 5000)).toBeNull();
    expect(recovery.handleTimeout(1e9)).toBeNull();
    expect(recovery.phase).toBe("idle");
  });
});
