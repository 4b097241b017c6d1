import { useState } from "react";

import { LAYOUTS, type LayoutName, type StageLayout } from "../../api/types";
import { named } from "../../stage/arranger";

interface Props {
  layout: StageLayout;
  onChange: (make: (layout: StageLayout) => StageLayout) => void;
  /** Whether a layout of one's own is being made. */
  making: boolean;
  onMake: () => void;
}

const NAMES: Record<LayoutName, string> = {
  grid: "Grid",
  spotlight: "Spotlight",
  "side-by-side": "Side by side",
  "picture-in-picture": "Picture in picture",
  custom: "Your own",
};

/** How the audience sees the hosts. */
export function LayoutPicker({ layout, onChange, making, onMake }: Props) {
  const shown = layout.lower_third?.text ?? "";
  const [caption, setCaption] = useState(shown);
  const show = (text: string): void =>
    onChange((last) => {
      const { lower_third: _, ...rest } = last;
      return text === "" ? rest : { ...rest, lower_third: { text } };
    });
  return (
    <div className="layout-picker">
      <p className="label" data-testid="layout-name">
        Layout: {NAMES[layout.layout]}
      </p>
      <div className="segments five" role="group" aria-label="Layout">
        {LAYOUTS.map((name) => (
          <button
            key={name}
            type="button"
            data-testid={`layout-${name}`}
            aria-pressed={layout.layout === name}
            title={NAMES[name]}
            {...(name === "custom" ? { "aria-expanded": making } : {})}
            onClick={() => (name === "custom" ? onMake() : onChange((last) => named(last, name)))}
          >
            <LayoutSketch name={name} />
            <span className="visually-hidden">{NAMES[name]}</span>
          </button>
        ))}
      </div>
      <form
        className="with-button"
        onSubmit={(event) => {
          event.preventDefault();
          show(caption.trim());
        }}
      >
        <label className="field">
          <span className="label">Caption</span>
          <input data-testid="lower-third" maxLength={200} value={caption} onChange={(event) => setCaption(event.target.value)} />
        </label>
        <button type="submit" className="button" disabled={caption.trim() === shown}>
          {shown === "" ? "Show" : "Change"}
        </button>
        {shown !== "" && (
          <button type="button" className="button quiet" data-testid="lower-third-hide" onClick={() => show("")}>
            Hide
          </button>
        )}
      </form>
    </div>
  );
}

const SKETCHES: Record<LayoutName, [number, number, number, number][]> = {
  grid: [
    [2, 2, 13, 8],
    [17, 2, 13, 8],
    [2, 12, 13, 8],
    [17, 12, 13, 8],
  ],
  spotlight: [
    [2, 2, 20, 18],
    [24, 2, 6, 5],
    [24, 8.5, 6, 5],
    [24, 15, 6, 5],
  ],
  "side-by-side": [
    [2, 4, 13, 14],
    [17, 4, 13, 14],
  ],
  "picture-in-picture": [
    [2, 2, 28, 18],
    [20, 12, 8, 6],
  ],
  custom: [
    [2, 2, 19, 13],
    [14, 9, 16, 11],
  ],
};

const OVERLAPS: ReadonlySet<LayoutName> = new Set<LayoutName>(["picture-in-picture", "custom"]);

function LayoutSketch({ name }: { name: LayoutName }) {
  return (
    <svg viewBox="0 0 32 22" className="layout-sketch" aria-hidden="true">
      {SKETCHES[name].map(([x, y, width, height], index) => (
        <rect key={index} x={x} y={y} width={width} height={height} rx="1.5" className={OVERLAPS.has(name) && index === 1 ? "front" : undefined} />
      ))}
    </svg>
  );
}
