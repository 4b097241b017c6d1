import { useEffect, useRef, useState } from "react";

import { explain } from "../../api/problem";
import type { PlayerView } from "../../player/view";
import { Icon } from "../../ui/icons";

interface Props {
  view: PlayerView;
  onChoose: (id: string) => Promise<void>;
}

export function QualityMenu({ view, onChoose }: Props) {
  const [open, setOpen] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const ref = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (!open) return;
    ref.current?.querySelector<HTMLElement>("[aria-checked=true]")?.focus();
    const onPointer = (event: PointerEvent): void => {
      if (!ref.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", onPointer);
    return () => document.removeEventListener("pointerdown", onPointer);
  }, [open]);

  const choose = async (id: string): Promise<void> => {
    try {
      await onChoose(id);
      setError(null);
      setOpen(false);
    } catch (reason) {
      setError(explain(reason));
    }
  };

  return (
    <div
      className="quality"
      ref={ref}
      onKeyDown={(event) => {
        if (event.key === "Escape") setOpen(false);
        if (!open || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
        event.preventDefault();
        event.stopPropagation();
        const items = [...(ref.current?.querySelectorAll<HTMLElement>("[role=menuitemradio]") ?? [])];
        const index = items.findIndex((item) => item === document.activeElement);
        items.at((index + (event.key === "ArrowDown" ? 1 : -1)) % items.length)?.focus();
      }}
    >
      <button
        type="button"
        className="icon-button"
        data-testid="quality"
        aria-label="Quality"
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Icon name="quality" />
      </button>
      {open && (
        <div className="menu" role="menu" aria-label="Quality">
          {view.qualities.map(({ id, label }) => (
            <button
              key={id}
              type="button"
              role="menuitemradio"
              aria-checked={id === view.quality}
              data-quality={id}
              onClick={() => void choose(id)}
            >
              <Icon name="check" />
              {label}
            </button>
          ))}
          {error !== null && <p role="alert">{error}</p>}
        </div>
      )}
    </div>
  );
}
