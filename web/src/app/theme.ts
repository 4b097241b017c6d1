/** Light, dark, or as the system says. */

import { useSyncExternalStore } from "react";

import { Stored } from "./stored";

export type Theme = "light" | "dark";

const stored = new Stored<Theme>(() => window.localStorage, "spillway.theme");
const system = window.matchMedia("(prefers-color-scheme: dark)");

const effective = (): Theme => stored.get() ?? (system.matches ? "dark" : "light");

function subscribe(listener: () => void): () => void {
  const off = stored.subscribe(listener);
  system.addEventListener("change", listener);
  return () => {
    off();
    system.removeEventListener("change", listener);
  };
}

export function applyTheme(): void {
  const chosen = stored.get();
  if (chosen === null) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

export const useTheme = (): Theme => useSyncExternalStore(subscribe, effective);

export function toggleTheme(): void {
  const next: Theme = effective() === "dark" ? "light" : "dark";
  // Back at the system's own choice: follow it again.
  stored.set(next === (system.matches ? "dark" : "light") ? null : next);
  applyTheme();
}
