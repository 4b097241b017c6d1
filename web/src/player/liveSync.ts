/**
 * How fast to play so that the picture stays as near the live edge as the line allows. Pure: times are arguments.
 *
 * hls.js's own control wants more than a second buffered before it catches up, so it ends 1.0 s plus the way to the
 * buffer behind. What matters is the least that is buffered, just before a part comes: that is the reserve against
 * stalls, and all above it is latency for nothing.
 */

/** 7 parts of 1/3 s: one late part in a second shows in it. */
const WINDOW_MS = 2500;
/** What must be left just before the next part comes, s. */
const RESERVE_S = 0.35;
const LARGEST_RESERVE_S = 1.5;
/** A stall says that the reserve was too small. */
const AFTER_STALL_S = 0.15;
/** Catch up only when it is worth a change of pitch, s. */
const SLACK_S = 0.1;
/** 8 %, below what one hears. */
const FASTER = 1.08;
/** Half the reserve gone: 4 % slower fills it before it comes to a stall. */
const SLOWER = 0.96;

interface Sample {
  atMs: number;
  /** Seconds buffered ahead, had the rate been 1 all the time. */
  levelS: number;
}

export class LiveSync {
  private reserveS = RESERVE_S;
  private samples: Sample[] = [];
  private rate = 1;
  private lastMs: number | null = null;
  private sinceMs = 0;
  /** What playing faster has taken from the buffer so far, s. */
  private gainedS = 0;

  /** What it aims at: seconds buffered just before a part comes. */
  get reserve(): number {
    return this.reserveS;
  }

  /** `aheadS`: buffered ahead of the picture now; best told just before media is appended. Returns the rate. */
  update(aheadS: number, nowMs: number): number {
    if (this.lastMs === null) this.sinceMs = nowMs;
    else this.gainedS += ((this.rate - 1) * (nowMs - this.lastMs)) / 1000;
    this.lastMs = nowMs;
    this.samples = this.samples.filter((sample) => nowMs - sample.atMs < WINDOW_MS);
    this.samples.push({ atMs: nowMs, levelS: aheadS + this.gainedS });
    if (nowMs - this.sinceMs < WINDOW_MS) return this.rate;
    const leastS = Math.min(...this.samples.map((sample) => sample.levelS)) - this.gainedS;
    if (leastS > this.reserveS + SLACK_S) this.rate = FASTER;
    else if (leastS < this.reserveS / 2) this.rate = SLOWER;
    else if (this.rate > 1 ? leastS <= this.reserveS : leastS >= this.reserveS) this.rate = 1;
    return this.rate;
  }

  /** Nothing was left to play. */
  stalled(): void {
    this.reserveS = Math.min(LARGEST_RESERVE_S, this.reserveS + AFTER_STALL_S);
    this.restart();
  }

  /** The picture has jumped: what was measured before says nothing. */
  restart(): void {
    this.samples = [];
    this.lastMs = null;
    this.rate = 1;
  }
}
