import { percent } from "../../ui/format";
import type { Rect } from "../../stage/tiles";

/** Of the text that says what keys do to a tile. */
export const KEYS_ID = "tile-keys";

/** Where a tile is. */
export const spoken = ({ x, y, w, h }: Rect): string =>
  `${percent(w)} wide, ${percent(h)} high, ${percent(x)} from the left, ${percent(y)} from the top`;
