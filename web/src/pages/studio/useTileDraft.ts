import { useState } from "react";

import type { LayoutTile } from "../../api/types";
import { subjectKey } from "../../stage/tiles";

export interface TileDraft {
  /** From back to front; null: no layout is being made. */
  tiles: LayoutTile[] | null;
  selected: LayoutTile | null;
  open: (tiles: LayoutTile[]) => void;
  close: () => void;
  select: (key: string | null) => void;
  /** All of them anew. */
  set: (make: (tiles: LayoutTile[]) => LayoutTile[]) => void;
  change: (key: string, make: (tile: LayoutTile) => LayoutTile) => void;
  remove: (key: string) => void;
}

/** A layout of one's own while it is made: nobody sees it before it is applied. */
export function useTileDraft(): TileDraft {
  const [tiles, setTiles] = useState<LayoutTile[] | null>(null);
  const [selectedKey, select] = useState<string | null>(null);
  const set = (make: (tiles: LayoutTile[]) => LayoutTile[]): void => setTiles((last) => last && make(last));
  return {
    tiles,
    selected: tiles?.find((tile) => subjectKey(tile) === selectedKey) ?? null,
    open: (start) => {
      setTiles(start);
      select(null);
    },
    close: () => setTiles(null),
    select,
    set,
    change: (key, make) => set((last) => last.map((tile) => (subjectKey(tile) === key ? make(tile) : tile))),
    remove: (key) => set((last) => last.filter((tile) => subjectKey(tile) !== key)),
  };
}
