/** Keys of the player. Pure: a key press in, an action out. */

export type PlayerAction = "toggle" | "mute" | "fullscreen" | "stats" | "louder" | "quieter" | "help";

const KEYS: Record<string, PlayerAction> = {
  k: "toggle",
  " ": "toggle",
  m: "mute",
  f: "fullscreen",
  s: "stats",
  ArrowUp: "louder",
  ArrowDown: "quieter",
  "?": "help",
};

export const SHORTCUTS: readonly (readonly [keys: string, meaning: string])[] = [
  ["K or Space", "Play or pause"],
  ["M", "Sound on or off"],
  ["↑ ↓", "Volume"],
  ["F", "Full screen"],
  ["S", "Statistics"],
  ["?", "This list"],
];

export interface KeyPress {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  /** Upper-case tag name of what has the focus. */
  targetTag: string;
  targetEditable: boolean;
}

/** Null: the key belongs to the browser or to what has the focus. */
export function actionOf(press: KeyPress): PlayerAction | null {
  if (press.ctrlKey || press.metaKey || press.altKey || press.targetEditable) return null;
  if (["INPUT", "TEXTAREA", "SELECT"].includes(press.targetTag)) return null;
  // Space presses the focused button, and follows no link.
  if (press.key === " " && ["BUTTON", "A", "SUMMARY"].includes(press.targetTag)) return null;
  const key = press.key.length === 1 ? press.key.toLowerCase() : press.key;
  return KEYS[key] ?? null;
}
