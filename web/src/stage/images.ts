/** What an uploaded image is in a layout, and how that is switched. */

import type { StageLayout } from "../api/types";

export type ImageUse = "background" | "logo";

/** The image takes the place, or leaves it if it had it. */
export function toggleImage(layout: StageLayout, use: ImageUse, assetId: string): StageLayout {
  const { [use]: before, ...rest } = layout;
  return before === assetId ? rest : { ...rest, [use]: assetId };
}

/** The background's colour; null where there is an image, or none was chosen. */
export function backgroundColour(layout: StageLayout): string | null {
  return layout.background?.startsWith("#") === true ? layout.background : null;
}
