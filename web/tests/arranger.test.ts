import { describe, expect, it } from "vitest";

import type { StageLayout } from "../src/api/types";
import { Arranger } from "../src/stage/arranger";

const spotlight = (layout: StageLayout): StageLayout => ({ ...layout, layout: "spotlight" });
const pin = (layout: StageLayout): StageLayout => ({ ...layout, pinned: "bob" });

describe("Arranger", () => {
  it("builds on a change that the server has not answered", async () => {
    const sent: StageLayout[] = [];
    const answers: (() => void)[] = [];
    const arranger = new Arranger((layout) => {
      sent.push(layout);
      return new Promise<void>((resolve) => answers.push(resolve));
    });
    const changes = [arranger.change(pin), arranger.change(spotlight)];
    arranger.handleLayout({ layout: "grid" });
    await Promise.resolve();
    expect(sent).toEqual([{ layout: "grid", pinned: "bob" }]);
    answers.shift()?.();
    await changes[0];
    await Promise.resolve();
    expect(sent.at(-1)).toEqual({ layout: "spotlight", pinned: "bob" });
    answers.shift()?.();
    await changes[1];
  });

  it("goes back to what the server said when it is refused", async () => {
    const sent: StageLayout[] = [];
    const arranger = new Arranger((layout) => {
      sent.push(layout);
      return layout.pinned === undefined ? Promise.resolve() : Promise.reject(new Error("not on stage"));
    });
    arranger.handleLayout({ layout: "side-by-side" });
    await expect(arranger.change(pin)).rejects.toThrow("not on stage");
    await arranger.change(spotlight);
    expect(sent.at(-1)).toEqual({ layout: "spotlight" });
  });
});
