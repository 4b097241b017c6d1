/**
 * Where hosts stand in a picture of one's own making: pure geometry. All lengths are fractions of the program's
 * picture, 0 to 1; a list of tiles is in order from back to front.
 */

import type { LayoutTile, StageParticipant } from "../api/types";

/** Lines to snap to, each way: cells of 16:9 in a picture of 16:9. */
export const GRID = 24;
/** Of a tile's width and height: two cells are still a face on a phone. */
export const LEAST = 2 / GRID;
/** An edge beside the way draws a tile to it from this far; else the nearest line of the grid does. */
const REACH = 0.25 / GRID;
/** The server's fractions have six digits. */
const SAME = 1e-5;

export interface Rect {
  x: number;
  y: number;
  w: number;
  h: number;
}

export type Corner = "nw" | "ne" | "sw" | "se";
export const CORNERS: readonly Corner[] = ["nw", "ne", "sw", "se"];

/** A host's camera or screen: what a tile shows. */
export interface Subject {
  participant_id: string;
  source: "camera" | "screen";
  name: string;
}

export const subjectKey = (subject: Pick<Subject, "participant_id" | "source">): string =>
  `${subject.source} ${subject.participant_id}`;

/** All that can be shown: each host's camera, and the screens that are shared. */
export function subjectsOf(hosts: readonly StageParticipant[]): Subject[] {
  return hosts.flatMap(({ participant_id, name, tracks }) => [
    { participant_id, source: "camera" as const, name },
    ...(tracks.some((track) => track.source === "screen")
      ? [{ participant_id, source: "screen" as const, name: `${name}’s screen` }]
      : []),
  ]);
}

const clamp = (value: number, least: number, most: number): number => Math.min(Math.max(value, least), most);
const onGrid = (value: number): number => Math.round(value * GRID) / GRID;

/** The nearest of `edges` that is within reach. */
function drawn(value: number, edges: readonly number[]): number | null {
  const nearest = edges.reduce<number | null>(
    (best, edge) => (best === null || Math.abs(edge - value) < Math.abs(best - value) ? edge : best),
    null,
  );
  return nearest !== null && Math.abs(nearest - value) <= REACH ? nearest : null;
}

/** Where the near side of a span of `length` goes: one of its two sides to an edge, else the near one to the grid. */
function placed(start: number, length: number, edges: readonly number[]): number {
  const near = drawn(start, edges);
  const far = drawn(start + length, edges);
  const toFar = far === null ? null : far - length;
  const best =
    near !== null && (toFar === null || Math.abs(near - start) <= Math.abs(toFar - start)) ? near : toFar;
  return clamp(best ?? onGrid(start), 0, 1 - length);
}

const sides = (others: readonly Rect[], axis: "x" | "y"): number[] => [
  0,
  1,
  ...others.flatMap((other) => (axis === "x" ? [other.x, other.x + other.w] : [other.y, other.y + other.h])),
];

/** `rect` moved by a pointer, drawn to the edges of the picture and of `others`. */
export function moved<T extends Rect>(rect: T, dx: number, dy: number, others: readonly Rect[]): T {
  return {
    ...rect,
    x: placed(rect.x + dx, rect.w, sides(others, "x")),
    y: placed(rect.y + dy, rect.h, sides(others, "y")),
  };
}

/** `rect` with one corner moved by a pointer; the opposite one stays. */
export function resized<T extends Rect>(rect: T, corner: Corner, dx: number, dy: number, others: readonly Rect[]): T {
  const side = (at: number, edges: readonly number[]): number => drawn(at, edges) ?? onGrid(at);
  const [xs, ys] = [sides(others, "x"), sides(others, "y")];
  const [right, bottom] = [rect.x + rect.w, rect.y + rect.h];
  const next = { ...rect };
  if (corner.endsWith("w")) {
    next.x = clamp(side(rect.x + dx, xs), 0, right - LEAST);
    next.w = right - next.x;
  } else next.w = clamp(side(right + dx, xs), rect.x + LEAST, 1) - rect.x;
  if (corner.startsWith("n")) {
    next.y = clamp(side(rect.y + dy, ys), 0, bottom - LEAST);
    next.h = bottom - next.y;
  } else next.h = clamp(side(bottom + dy, ys), rect.y + LEAST, 1) - rect.y;
  return next;
}

/** The next line of the grid from `value` in the direction of `step`, -1 or 1. */
const nextLine = (value: number, step: number): number =>
  step > 0 ? (Math.floor(value * GRID + SAME * GRID) + 1) / GRID : (Math.ceil(value * GRID - SAME * GRID) - 1) / GRID;

export type Arrow = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";
const STEPS: Record<Arrow, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
export const isArrow = (key: string): key is Arrow => key in STEPS;

/** `rect` moved to the next line of the grid by an arrow key. */
export function nudged<T extends Rect>(rect: T, key: Arrow): T {
  const [dx, dy] = STEPS[key];
  return {
    ...rect,
    x: dx === 0 ? rect.x : clamp(nextLine(rect.x, dx), 0, 1 - rect.w),
    y: dy === 0 ? rect.y : clamp(nextLine(rect.y, dy), 0, 1 - rect.h),
  };
}

/** The right or lower side of `rect` moved to the next line of the grid by an arrow key. */
export function grown<T extends Rect>(rect: T, key: Arrow): T {
  const [dx, dy] = STEPS[key];
  return {
    ...rect,
    w: dx === 0 ? rect.w : clamp(nextLine(rect.x + rect.w, dx), Math.min(rect.x + LEAST, 1), 1) - rect.x,
    h: dy === 0 ? rect.h : clamp(nextLine(rect.y + rect.h, dy), Math.min(rect.y + LEAST, 1), 1) - rect.y,
  };
}

/** The tile in front of all others. */
export function toFront(tiles: readonly LayoutTile[], key: string): LayoutTile[] {
  return [
    ...tiles.filter((tile) => subjectKey(tile) !== key),
    ...tiles.filter((tile) => subjectKey(tile) === key),
  ];
}

/** Equal pictures in rows, as the layout "grid" has them without its gaps; the last row is centred. */
export function gridRects(count: number): Rect[] {
  const columns = Math.ceil(Math.sqrt(count));
  const rows = Math.ceil(count / Math.max(columns, 1));
  const w = 1 / columns;
  const h = rows === 1 ? w : 1 / rows;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, count - row * columns);
    return { x: (1 - inRow * w) / 2 + (index % columns) * w, y: (1 - rows * h) / 2 + row * h, w, h };
  });
}

/** Everybody in the grid, cameras filling their tiles, screens whole. */
export function gridTiles(subjects: readonly Subject[]): LayoutTile[] {
  const rects = gridRects(subjects.length);
  return subjects.flatMap(({ participant_id, source }, index) => {
    const rect = rects[index];
    return rect === undefined ? [] : [{ participant_id, source, ...rect, z: index, ...styleOf(source) }];
  });
}

const styleOf = (source: Subject["source"]): Pick<LayoutTile, "fit" | "radius"> => ({
  fit: source === "screen" ? "contain" : "cover",
  radius: 0,
});

/** With the subject, a third of the picture wide, before all others; each further one is a cell aside. */
export function withTile(tiles: readonly LayoutTile[], { participant_id, source }: Subject): LayoutTile[] {
  const at = (8 + (tiles.length % 8)) / GRID;
  return [...tiles, { participant_id, source, x: at, y: at, w: 1 / 3, h: 1 / 3, z: tiles.length, ...styleOf(source) }];
}

/** As the server takes them: of those who are here, and in front as the list has it. */
export function applied(tiles: readonly LayoutTile[], subjects: readonly Subject[]): LayoutTile[] {
  const here = new Set(subjects.map(subjectKey));
  const digits = (value: number): number => clamp(Math.round(value * 1e6) / 1e6, 0, 1);
  return tiles
    .filter((tile) => here.has(subjectKey(tile)))
    .map((tile, z) => {
      const [x, y] = [digits(tile.x), digits(tile.y)];
      return { ...tile, x, y, w: digits(Math.min(tile.w, 1 - x)), h: digits(Math.min(tile.h, 1 - y)), z };
    });
}
