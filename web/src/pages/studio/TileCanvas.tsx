import { type KeyboardEvent, type PointerEvent, useEffect, useRef } from "react";

import type { LayoutTile } from "../../api/types";
import { type Corner, CORNERS, grown, isArrow, moved, nudged, resized, type Subject, subjectKey } from "../../stage/tiles";
import { KEYS_ID, spoken } from "./tileWords";
import type { TileDraft } from "./useTileDraft";

interface Props {
  draft: TileDraft;
  subjects: readonly Subject[];
  /** Undefined: nothing comes from there at present. */
  trackOf: (subject: Subject) => MediaStreamTrack | undefined;
}

/** The tiles over the program's picture. */
export function TileCanvas({ draft, subjects, trackOf }: Props) {
  const canvasRef = useRef<HTMLDivElement>(null);
  const tiles = draft.tiles ?? [];
  return (
    <div
      ref={canvasRef}
      className="tile-canvas"
      data-testid="tile-canvas"
      role="group"
      aria-label="The layout being made"
      onPointerDown={(event) => {
        if (event.target === event.currentTarget) draft.select(null);
      }}
    >
      {/* In an order that stays: a node that is moved loses the pointer that drags it. */}
      {subjects.map((subject) => {
        const key = subjectKey(subject);
        const front = tiles.findIndex((tile) => subjectKey(tile) === key);
        const tile = tiles[front];
        if (tile === undefined) return null;
        return (
          <Tile
            key={key}
            tile={tile}
            front={front}
            name={subject.name}
            track={trackOf(subject)}
            others={tiles.filter((other) => other !== tile)}
            selected={draft.selected === tile}
            sizeOf={() => canvasRef.current?.getBoundingClientRect() ?? null}
            onSelect={() => draft.select(key)}
            onChange={(next) => draft.change(key, () => next)}
            onRemove={() => draft.remove(key)}
          />
        );
      })}
    </div>
  );
}

interface TileProps {
  tile: LayoutTile;
  /** Greater is nearer to the viewer. */
  front: number;
  name: string;
  track: MediaStreamTrack | undefined;
  others: readonly LayoutTile[];
  selected: boolean;
  sizeOf: () => DOMRect | null;
  onSelect: () => void;
  onChange: (tile: LayoutTile) => void;
  onRemove: () => void;
}

interface Drag {
  pointerId: number;
  corner: Corner | null;
  x: number;
  y: number;
  from: LayoutTile;
}

function Tile({ tile, front, name, track, others, selected, sizeOf, onSelect, onChange, onRemove }: TileProps) {
  const drag = useRef<Drag | null>(null);

  const begin = (event: PointerEvent<HTMLDivElement>): void => {
    if (!event.isPrimary || event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const corner = CORNERS.find((each) => each === (event.target as HTMLElement).dataset.corner) ?? null;
    drag.current = { pointerId: event.pointerId, corner, x: event.clientX, y: event.clientY, from: tile };
    onSelect();
  };

  const follow = (event: PointerEvent): void => {
    const [from, size] = [drag.current, sizeOf()];
    if (from?.pointerId !== event.pointerId || size === null) return;
    const dx = (event.clientX - from.x) / size.width;
    const dy = (event.clientY - from.y) / size.height;
    const { x, y, w, h } =
      from.corner === null ? moved(from.from, dx, dy, others) : resized(from.from, from.corner, dx, dy, others);
    onChange({ ...tile, x, y, w, h });
  };

  const onKey = (event: KeyboardEvent): void => {
    if (isArrow(event.key)) onChange(event.shiftKey ? grown(tile, event.key) : nudged(tile, event.key));
    else if (event.key === "Delete" || event.key === "Backspace") onRemove();
    else return;
    event.preventDefault();
  };

  const [left, top, width, height] = [tile.x, tile.y, tile.w, tile.h].map((fraction) => `${100 * fraction}%`);
  // Of the half of the shorter side; the canvas is the container of these units.
  const rounding = `calc(${tile.radius / 2} * min(${100 * tile.w}cqw, ${100 * tile.h}cqh))`;
  return (
    <div
      className="editor-tile"
      data-testid="editor-tile"
      data-subject={subjectKey(tile)}
      role="button"
      tabIndex={0}
      aria-pressed={selected}
      aria-label={`${name}, ${spoken(tile)}`}
      aria-describedby={KEYS_ID}
      style={{ left, top, width, height, zIndex: front }}
      onPointerDown={begin}
      onPointerMove={follow}
      onPointerUp={() => (drag.current = null)}
      onPointerCancel={() => {
        if (drag.current !== null) onChange(drag.current.from);
        drag.current = null;
      }}
      onFocus={onSelect}
      onKeyDown={onKey}
    >
      <div className="editor-picture" style={{ borderRadius: rounding }}>
        <Picture track={track} fit={tile.fit} />
        <span className="editor-name">{name}</span>
      </div>
      {selected && CORNERS.map((corner) => <span key={corner} className={`tile-corner ${corner}`} data-corner={corner} />)}
    </div>
  );
}

function Picture({ track, fit }: { track: MediaStreamTrack | undefined; fit: LayoutTile["fit"] }) {
  const ref = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (ref.current !== null) ref.current.srcObject = track === undefined ? null : new MediaStream([track]);
  }, [track]);
  return <video ref={ref} style={{ objectFit: fit }} autoPlay muted playsInline aria-hidden="true" />;
}
