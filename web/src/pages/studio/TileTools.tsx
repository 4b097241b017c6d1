import { useState } from "react";

import { explain } from "../../api/problem";
import type { LayoutTile } from "../../api/types";
import { applied, gridTiles, type Subject, subjectKey, toFront, withTile } from "../../stage/tiles";
import { ErrorNote } from "../../ui/ErrorNote";
import { Icon } from "../../ui/icons";
import { KEYS_ID, spoken } from "./tileWords";
import type { TileDraft } from "./useTileDraft";

interface Props {
  draft: TileDraft;
  subjects: readonly Subject[];
  onApply: (tiles: LayoutTile[]) => Promise<void>;
}

/** What is done to the tiles of a layout, beside dragging them. */
export function TileTools({ draft, subjects, onApply }: Props) {
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const tiles = draft.tiles ?? [];
  const shown = new Set(tiles.map(subjectKey));
  const sent = applied(tiles, subjects);
  const subject = subjects.find((each) => draft.selected !== null && subjectKey(each) === subjectKey(draft.selected));

  const apply = async (): Promise<void> => {
    setBusy(true);
    try {
      await onApply(sent);
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setBusy(false);
    }
  };

  return (
    <div className="tile-tools" data-testid="tile-tools">
      <div className="tile-hosts" role="group" aria-label="Who is in the picture">
        {subjects.map((each) => {
          const key = subjectKey(each);
          return (
            <button
              key={key}
              type="button"
              className="button"
              data-testid="tile-host"
              aria-pressed={shown.has(key)}
              onClick={() => {
                if (shown.has(key)) draft.remove(key);
                else {
                  draft.set((last) => withTile(last, each));
                  draft.select(key);
                }
              }}
            >
              <Icon name={shown.has(key) ? "check" : each.source} />
              {each.name}
            </button>
          );
        })}
        <button type="button" className="button quiet" data-testid="tile-reset" onClick={() => draft.set(() => gridTiles(subjects))}>
          Reset to grid
        </button>
      </div>
      {draft.selected !== null && subject !== undefined ? (
        <Selected draft={draft} tile={draft.selected} subject={subject} />
      ) : (
        <p className="hint">Choose a tile to change how it looks.</p>
      )}
      <p className="hint" id={KEYS_ID}>
        Drag tiles and their corners. By keyboard: arrows move, Shift and arrows resize, Delete removes.
      </p>
      {error !== null && <ErrorNote text={error} />}
      <div className="tile-done">
        <button type="button" className="button quiet" data-testid="tile-cancel" onClick={draft.close}>
          Cancel
        </button>
        <button type="button" className="button primary" data-testid="tile-apply" disabled={busy || sent.length === 0} onClick={() => void apply()}>
          Show this layout
        </button>
      </div>
    </div>
  );
}

function Selected({ draft, tile, subject }: { draft: TileDraft; tile: LayoutTile; subject: Subject }) {
  const key = subjectKey(subject);
  return (
    <div className="tile-look" role="group" aria-label={subject.name}>
      <p className="tile-place" role="status">
        <strong>{subject.name}</strong>
        <span className="hint">{spoken(tile)}</span>
      </p>
      <div className="segments" role="group" aria-label="How the picture fits">
        {(["cover", "contain"] as const).map((fit) => (
          <button
            key={fit}
            type="button"
            data-testid={`tile-${fit}`}
            aria-pressed={tile.fit === fit}
            onClick={() => draft.change(key, (last) => ({ ...last, fit }))}
          >
            {fit === "cover" ? "Fill" : "Whole"}
          </button>
        ))}
      </div>
      <label className="field tile-rounding">
        <span className="label">Corners</span>
        <input
          type="range"
          data-testid="tile-radius"
          min={0}
          max={1}
          step={0.05}
          value={tile.radius}
          onChange={({ target }) => draft.change(key, (last) => ({ ...last, radius: Number(target.value) }))}
        />
      </label>
      <button type="button" className="button" data-testid="tile-front" onClick={() => draft.set((last) => toFront(last, key))}>
        To the front
      </button>
      <button type="button" className="icon-button outlined" data-testid="tile-remove" aria-label={`Take ${subject.name} out of the picture`} onClick={() => draft.remove(key)}>
        <Icon name="trash" />
      </button>
    </div>
  );
}
