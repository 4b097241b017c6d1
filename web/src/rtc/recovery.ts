/**
 * How a WHIP or WHEP connection comes back: ICE restart first, then a clean join with backoff. Pure: events and a time
 * go in, the next command comes out, and `deadline` says when to call `handleTimeout`.
 */

export type RecoveryEvent =
  /** The POST was answered and both descriptions are set. */
  | { kind: "negotiated" }
  | { kind: "connected" }
  | { kind: "disconnected" }
  | { kind: "failed" }
  | { kind: "restart-refused" }
  | { kind: "join-failed"; retryAfterMs: number | null }
  /** The browser is online again: no need to sit out a backoff. */
  | { kind: "online" };

export type RecoveryCommand = "join" | "restart-ice" | null;

export type RecoveryPhase = "idle" | "joining" | "connecting" | "connected" | "suspect" | "restarting" | "backoff";

export type DeadlineReason = "connect" | "grace" | "restart" | "backoff";

/** 8 s: Chromium itself gives up on ICE after 15, and a spinner that long has lost the viewer. */
const CONNECT_MS = 8000;
/** 1 s: Chromium says "disconnected" only after 5 s of silence, so little more patience is due. */
const GRACE_MS = 1000;
/** 5 s: a dozen checks at ICE's pace. */
const RESTART_MS = 5000;
export const BACKOFF_MIN_MS = 500;
export const BACKOFF_MAX_MS = 10_000;

/** Uniform between 0.5 s and a ceiling that doubles from 1 s to 10 s, so that a thousand viewers don't return as one. */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(BACKOFF_MAX_MS, 1000 * 2 ** Math.min(attempt, 10));
  return BACKOFF_MIN_MS + random * (ceiling - BACKOFF_MIN_MS);
}

export class Recovery {
  phase: RecoveryPhase = "idle";
  deadline: { reason: DeadlineReason; atMs: number } | null = null;
  /** Times in a row that signalling worked and media did not: the sign of a blocked transport. */
  iceFailures = 0;
  private attempt = 0;

  constructor(private readonly random: () => number = Math.random) {}

  start(): RecoveryCommand {
    this.phase = "joining";
    this.deadline = null;
    return "join";
  }

  stop(): void {
    this.phase = "idle";
    this.deadline = null;
  }

  handle(event: RecoveryEvent, nowMs: number): RecoveryCommand {
    if (this.phase === "idle") return null;
    switch (event.kind) {
      case "negotiated":
        if (this.phase === "joining") this.enter("connecting", "connect", nowMs + CONNECT_MS);
        return null;
      case "connected":
        this.phase = "connected";
        this.deadline = null;
        this.attempt = 0;
        this.iceFailures = 0;
        return null;
      case "disconnected":
        if (this.phase === "connected") this.enter("suspect", "grace", nowMs + GRACE_MS);
        return null;
      case "failed":
        if (this.phase === "connected" || this.phase === "suspect") return this.restart(nowMs);
        if (this.phase === "connecting" || this.phase === "restarting") return this.giveUpIce(nowMs);
        return null;
      case "restart-refused":
        return this.phase === "restarting" ? this.backOff(nowMs, null) : null;
      case "join-failed":
        return this.phase === "joining" ? this.backOff(nowMs, event.retryAfterMs) : null;
      case "online":
        return this.phase === "backoff" ? this.start() : null;
    }
  }

  handleTimeout(nowMs: number): RecoveryCommand {
    if (this.deadline === null || nowMs < this.deadline.atMs) return null;
    switch (this.deadline.reason) {
      case "connect":
      case "restart":
        return this.giveUpIce(nowMs);
      case "grace":
        return this.restart(nowMs);
      case "backoff":
        return this.start();
    }
  }

  private restart(nowMs: number): RecoveryCommand {
    this.enter("restarting", "restart", nowMs + RESTART_MS);
    return "restart-ice";
  }

  private giveUpIce(nowMs: number): RecoveryCommand {
    this.iceFailures += 1;
    return this.backOff(nowMs, null);
  }

  private backOff(nowMs: number, atLeastMs: number | null): RecoveryCommand {
    const delay = Math.max(backoffMs(this.attempt, this.random()), atLeastMs ?? 0);
    this.attempt += 1;
    this.enter("backoff", "backoff", nowMs + delay);
    return null;
  }

  private enter(phase: RecoveryPhase, reason: DeadlineReason, atMs: number): void {
    this.phase = phase;
    this.deadline = { reason, atMs };
  }
}
