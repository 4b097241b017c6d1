import { describe, expect, it } from "vitest";

import { backgroundColour, toggleImage } from "../src/stage/images";

describe("images of a layout", () => {
  it("take a place, replace what had it, and leave it", () => {
    const plain = { layout: "grid" } as const;
    const walled = toggleImage({ ...plain, background: "#102030" }, "background", "wall");
    expect(walled).toEqual({ layout: "grid", background: "wall" });
    const both = toggleImage(walled, "logo", "mark");
    expect(both).toEqual({ layout: "grid", background: "wall", logo: "mark" });
    expect(toggleImage(both, "background", "other").background).toBe("other");
    expect(toggleImage(toggleImage(both, "logo", "mark"), "background", "wall")).toEqual(plain);
  });

  it("are no colours", () => {
    expect(backgroundColour({ layout: "grid", background: "#102030" })).toBe("#102030");
    expect(backgroundColour({ layout: "grid", background: "wall" })).toBeNull();
    expect(backgroundColour({ layout: "grid" })).toBeNull();
  });
});
