import { describe, expect, it } from "vitest";

import { LiveSync } from "../src/player/liveSync";

/** A player whose parts of 1/3 s come `delayS(k)` late; returns the least that was buffered from `fromMs` on. */
function play(sync: LiveSync, startS: number, seconds: number, lateS: (part: number) => number = () => 0) {
  const step = 10;
  let bufferedS = 1 / 3;
  let positionS = 1 / 3 - startS;
  let part = 1;
  let rate = 1;
  const least: number[] = [];
  const rates = new Set<number>();
  for (let ms = 0; ms < seconds * 1000; ms += step) {
    if (ms / 1000 >= part / 3 + lateS(part)) {
      rate = sync.update(bufferedS - positionS, ms);
      least.push(bufferedS - positionS);
      rates.add(rate);
      part += 1;
      bufferedS = part / 3;
    }
    if (bufferedS - positionS <= 0) sync.stalled();
    else positionS += (rate * step) / 1000;
  }
  return { least, rates, end: least.at(-1) ?? 0 };
}

describe("LiveSync", () => {
  it("gives up what is buffered beyond the reserve, and no more", () => {
    const sync = new LiveSync();
    const { least, end } = play(sync, 1.6, 60);
    expect(end).toBeGreaterThan(sync.reserve - 0.05);
    expect(end).toBeLessThan(sync.reserve + 0.11);
    expect(Math.min(...least)).toBeGreaterThan(sync.reserve - 0.05);
  });

  it("leaves a player alone that is where it should be", () => {
    expect(play(new LiveSync(), 0.75, 60).rates).toEqual(new Set([1]));
  });

  it("slows down before the buffer is empty", () => {
    const sync = new LiveSync();
    const { end } = play(sync, 0.45, 30);
    expect(end).toBeGreaterThan(0.3);
  });

  it("keeps enough for a line whose parts come late now and then", () => {
    const sync = new LiveSync();
    const late = (part: number): number => (part % 5 === 0 ? 0.25 : 0);
    const { least } = play(sync, 1.6, 120, late);
    expect(Math.min(...least.slice(-200))).toBeGreaterThan(0.3);
  });

  it("keeps more after a stall", () => {
    const sync = new LiveSync();
    const before = sync.reserve;
    sync.stalled();
    expect(sync.reserve).toBeGreaterThan(before);
    for (let i = 0; i < 100; i += 1) sync.stalled();
    expect(sync.reserve).toBeLessThanOrEqual(1.5);
  });
});
