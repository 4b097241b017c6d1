import { describe, expect, it } from "vitest";

import type { LayoutTile, StageParticipant } from "../src/api/types";
import {
  applied,
  type Arrow,
  CORNERS,
  GRID,
  gridRects,
  gridTiles,
  grown,
  LEAST,
  moved,
  nudged,
  type Rect,
  resized,
  subjectKey,
  subjectsOf,
  toFront,
  withTile,
} from "../src/stage/tiles";

const cell = 1 / GRID;
const half: Rect = { x: 0, y: 0, w: 0.5, h: 0.5 };
const tile = (participant_id: string, rect: Rect = half): LayoutTile => ({
  participant_id,
  source: "camera",
  z: 0,
  fit: "cover",
  radius: 0,
  ...rect,
});
const host = (participant_id: string, ...sources: string[]): StageParticipant =>
  ({ participant_id, name: participant_id, tracks: sources.map((source) => ({ source })) }) as StageParticipant;
const close = (rect: Rect, expected: Rect): void => {
  for (const side of ["x", "y", "w", "h"] as const) expect(rect[side], side).toBeCloseTo(expected[side], 9);
};

describe("by pointer", () => {
  it("moves to the grid", () => {
    close(moved(half, 2.2 * cell, 4.7 * cell, []), { ...half, x: 2 * cell, y: 5 * cell });
  });

  it("is drawn to the edge of another tile, with either side, before the grid", () => {
    const other: Rect = { x: 0.7, y: 0.7, w: 0.2, h: 0.2 };
    const small: Rect = { x: 0, y: 0, w: 0.2, h: 0.2 };
    close(moved(small, 0.495, 0, [other]), { ...small, x: 0.5 });
    close(moved(small, 0.907, 0.007, [other]), { ...small, x: 0.8 });
    close(moved(small, 0.703, 0.3, [other]), { ...small, x: 0.7, y: 7 * cell });
  });

  it("stays in the picture", () => {
    close(moved(half, -3, 3, []), { ...half, x: 0, y: 0.5 });
  });

  it.each(CORNERS)("resizes by the corner %s, whose opposite stays", (corner) => {
    const rect: Rect = { x: 0.25, y: 0.25, w: 0.5, h: 0.5 };
    const [dx, dy] = [corner.endsWith("w") ? -1 : 1, corner.startsWith("n") ? -1 : 1];
    const larger = resized(rect, corner, dx * 2.3 * cell, dy * 0.8 * cell, []);
    close(larger, {
      x: corner.endsWith("w") ? 0.25 - 2 * cell : 0.25,
      y: corner.startsWith("n") ? 0.25 - cell : 0.25,
      w: 0.5 + 2 * cell,
      h: 0.5 + cell,
    });
    const least = resized(rect, corner, -dx, -dy, []);
    expect([least.w, least.h]).toEqual([expect.closeTo(LEAST, 9), expect.closeTo(LEAST, 9)]);
    const most = resized(rect, corner, dx * 5, dy * 5, []);
    expect([most.w, most.h]).toEqual([expect.closeTo(0.75, 9), expect.closeTo(0.75, 9)]);
  });

  it("keeps everything but the rectangle", () => {
    expect(moved(tile("a"), 0, 0, [])).toEqual(tile("a"));
    expect(resized(tile("a"), "se", 0, 0, [])).toEqual(tile("a"));
  });
});

describe("by keyboard", () => {
  const odd: Rect = { x: 0.11, y: 0.11, w: 0.3, h: 0.3 };

  it.each<[Arrow, Rect]>([
    ["ArrowRight", { ...odd, x: 3 * cell }],
    ["ArrowLeft", { ...odd, x: 2 * cell }],
    ["ArrowDown", { ...odd, y: 3 * cell }],
    ["ArrowUp", { ...odd, y: 2 * cell }],
  ])("%s goes to the next line", (key, expected) => close(nudged(odd, key), expected));

  it("goes a whole cell from a line, though fractions are rounded", () => {
    let rect: Rect = { ...half, x: 0.041667 };
    for (let step = 2; step <= 12; step++) close((rect = nudged(rect, "ArrowRight")), { ...half, x: step * cell });
    close(nudged(rect, "ArrowRight"), rect);
    rect = { ...half, x: 0.499999 };
    for (let step = 11; step >= 0; step--) close((rect = nudged(rect, "ArrowLeft")), { ...half, x: step * cell });
    close(nudged(rect, "ArrowLeft"), rect);
  });

  it("grows and shrinks between the least and the picture's edge", () => {
    close(grown(half, "ArrowRight"), { ...half, w: 13 * cell });
    close(grown(half, "ArrowUp"), { ...half, h: 11 * cell });
    let rect = half;
    for (let step = 0; step < 30; step++) rect = grown(rect, "ArrowLeft");
    close(rect, { ...half, w: LEAST });
    for (let step = 0; step < 30; step++) rect = grown(rect, "ArrowRight");
    close(rect, { ...half, w: 1 });
  });
});

describe("tiles", () => {
  it("brings one to the front", () => {
    const tiles = [tile("a"), tile("b"), tile("c")];
    expect(toFront(tiles, subjectKey(tile("a"))).map((each) => each.participant_id)).toEqual(["b", "c", "a"]);
    expect(toFront(tiles, "camera nobody")).toEqual(tiles);
  });

  it("shows cameras, and screens that are shared", () => {
    expect(subjectsOf([host("a", "camera", "screen"), host("b", "microphone")]).map(subjectKey)).toEqual([
      "camera a",
      "screen a",
      "camera b",
    ]);
  });

  it("sends those who are here, in order, within the picture", () => {
    const wide = { x: 1 / 3, y: 2 / 3, w: 2 / 3, h: 1 / 3 };
    const sent = applied([tile("gone"), tile("b", wide), tile("a")], subjectsOf([host("a"), host("b")]));
    expect(sent.map(({ participant_id, z }) => [participant_id, z])).toEqual([
      ["b", 0],
      ["a", 1],
    ]);
    const [first] = sent;
    expect(first).toMatchObject({ x: 0.333333, y: 0.666667 });
    expect((first?.y ?? 0) + (first?.h ?? 0)).toBeLessThanOrEqual(1);
  });

  it("adds one in front", () => {
    const [subject] = subjectsOf([host("b")]);
    const tiles = subject === undefined ? [] : withTile([tile("a")], subject);
    expect(tiles.map((each) => each.participant_id)).toEqual(["a", "b"]);
    expect(applied(tiles, subjectsOf([host("a"), host("b")]))).toHaveLength(2);
  });
});

describe("the grid", () => {
  it.each([0, 1, 2, 3, 4, 5, 7, 9, 16])("of %i fits and does not overlap", (count) => {
    const rects = gridRects(count);
    expect(rects).toHaveLength(count);
    for (const [index, a] of rects.entries()) {
      expect(a.x).toBeGreaterThanOrEqual(-1e-9);
      expect(a.y).toBeGreaterThanOrEqual(-1e-9);
      expect(a.x + a.w).toBeLessThanOrEqual(1 + 1e-9);
      expect(a.y + a.h).toBeLessThanOrEqual(1 + 1e-9);
      for (const b of rects.slice(index + 1)) {
        const apart =
          a.x + a.w <= b.x + 1e-9 || b.x + b.w <= a.x + 1e-9 || a.y + a.h <= b.y + 1e-9 || b.y + b.h <= a.y + 1e-9;
        expect(apart).toBe(true);
      }
    }
  });

  it("is one's whole picture, two beside each other, a third one centred below", () => {
    expect(gridRects(1)).toEqual([{ x: 0, y: 0, w: 1, h: 1 }]);
    expect(gridRects(2)).toEqual([
      { x: 0, y: 0.25, w: 0.5, h: 0.5 },
      { x: 0.5, y: 0.25, w: 0.5, h: 0.5 },
    ]);
    expect(gridRects(3)[2]).toEqual({ x: 0.25, y: 0.5, w: 0.5, h: 0.5 });
  });

  it("shows screens whole", () => {
    expect(gridTiles(subjectsOf([host("a", "screen")])).map((each) => each.fit)).toEqual(["cover", "contain"]);
  });
});
