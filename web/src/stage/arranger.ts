/** The owner's layout as last asked for: a change builds on the one before it, also while that is still under way. */

import type { LayoutName, LayoutTile, StageLayout } from "../api/types";

/** With one of the layouts that have their own places for hosts. */
export function named(layout: StageLayout, name: Exclude<LayoutName, "custom">): StageLayout {
  const { tiles: _, ...rest } = layout;
  return { ...rest, layout: name };
}

export const custom = (layout: StageLayout, tiles: LayoutTile[]): StageLayout => ({ ...layout, layout: "custom", tiles });

/** Without hosts who have left: the server refuses a layout that names them. */
export function ofThose(layout: StageLayout, participantIds: ReadonlySet<string>): StageLayout {
  const { pinned, tiles, ...rest } = layout;
  const shown = tiles?.filter((tile) => participantIds.has(tile.participant_id)) ?? [];
  return {
    ...rest,
    ...(rest.layout === "custom" && shown.length === 0 ? { layout: "grid" } : {}),
    ...(shown.length > 0 ? { tiles: shown } : {}),
    ...(pinned !== undefined && participantIds.has(pinned) ? { pinned } : {}),
  };
}

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
