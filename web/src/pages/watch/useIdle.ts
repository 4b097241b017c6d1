import { useEffect, useState, type RefObject } from "react";

/** 3 s without a movement: the controls get out of the way. */
const IDLE_MS = 3000;

export function useIdle(ref: RefObject<HTMLElement | null>): boolean {
  const [idle, setIdle] = useState(false);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wake = (): void => {
      setIdle(false);
      clearTimeout(timer);
      timer = setTimeout(() => setIdle(true), IDLE_MS);
    };
    const names = ["pointermove", "pointerdown", "focusin", "keydown"];
    for (const name of names) element.addEventListener(name, wake);
    wake();
    return () => {
      clearTimeout(timer);
      for (const name of names) element.removeEventListener(name, wake);
    };
  }, [ref]);
  return idle;
}
