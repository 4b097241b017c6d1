import { describe, expect, it } from "vitest";

import type { LayoutTile, StageLayout } from "../src/api/types";
import { Arranger, custom, named, ofThose } from "../src/stage/arranger";

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

describe("changes", () => {
  const tile = (participant_id: string): LayoutTile => ({
    participant_id,
    source: "camera",
    x: 0,
    y: 0,
    w: 1,
    h: 1,
    z: 0,
    fit: "cover",
    radius: 0,
  });

  it("keep all but the places of hosts", () => {
    const dressed: StageLayout = { layout: "grid", background: "#102030", lower_third: { text: "Hello" } };
    const own = custom(dressed, [tile("ada")]);
    expect(own).toEqual({ ...dressed, layout: "custom", tiles: [tile("ada")] });
    expect(named(own, "grid")).toEqual(dressed);
  });

  it("leave out who has left", () => {
    const here = new Set(["ada"]);
    const own = custom({ layout: "grid", pinned: "bob", logo: "l" }, [tile("bob"), tile("ada")]);
    expect(ofThose(own, here)).toEqual({ layout: "custom", logo: "l", tiles: [tile("ada")] });
    expect(ofThose(custom({ layout: "grid" }, [tile("bob")]), here)).toEqual({ layout: "grid" });
    expect(ofThose({ layout: "spotlight", pinned: "ada" }, here)).toEqual({ layout: "spotlight", pinned: "ada" });
  });
});
