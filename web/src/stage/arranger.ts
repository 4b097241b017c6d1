/** The owner's layout as last asked for: a change builds on the one before it, also while that is still under way. */

import type { StageLayout } from "../api/types";

export class Arranger {
  private told: StageLayout = { layout: "grid" };
  private asked: StageLayout = this.told;
  private queue: Promise<unknown> = Promise.resolve();
  private underWay = 0;

  constructor(private readonly put: (layout: StageLayout) => Promise<unknown>) {}

  /** What the server says; it counts unless a change is under way. */
  handleLayout(layout: StageLayout): void {
    this.told = layout;
    if (this.underWay === 0) this.asked = layout;
  }

  /** Rejects with what the server has against it; the layout is then what the server said last. */
  async change(make: (layout: StageLayout) => StageLayout): Promise<void> {
    const next = (this.asked = make(this.asked));
    this.underWay += 1;
    const turn = this.queue.then(() => this.put(next));
    this.queue = turn.catch(() => undefined);
    try {
      await turn;
      this.told = next;
    } finally {
      this.underWay -= 1;
      if (this.underWay === 0) this.asked = this.told;
    }
  }
}
