import { sendBeacon } from "../api/client";

/** Two may be lost before the server counts this viewer out. */
const INTERVAL_MS = 10_000;

/** Tells the server that this player plays over HLS: requests behind a cache can't be counted. */
export class Beacon {
  private readonly sessionId = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly streamId: string,
    private readonly token: string | null,
  ) {}

  start(): void {
    if (this.timer !== undefined) return;
    this.send(false);
    this.timer = setInterval(() => this.send(false), INTERVAL_MS);
    window.addEventListener("pagehide", this.leave);
  }

  stop(): void {
    if (this.timer === undefined) return;
    clearInterval(this.timer);
    this.timer = undefined;
    window.removeEventListener("pagehide", this.leave);
    this.send(true);
  }

  private readonly leave = (): void => this.send(true);

  private send(leaving: boolean): void {
    // Nobody waits for it; the next one comes in ten seconds.
    sendBeacon(this.streamId, this.token, { session_id: this.sessionId, leaving }).catch(() => undefined);
  }
}
