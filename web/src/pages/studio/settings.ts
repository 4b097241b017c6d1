/** The studio's choices, kept on this browser. */

import { useSyncExternalStore } from "react";

import { Stored } from "../../app/stored";
import type { PublishSettings } from "../../whip/client";
import type { CaptureSettings } from "./capture";

export type StudioSettings = CaptureSettings & PublishSettings;

const DEFAULTS: StudioSettings = {
  source: "camera",
  cameraId: "",
  microphoneId: "",
  height: 720,
  frameRate: 30,
  codec: "auto",
  simulcast: true,
};

const stored = new Stored<Partial<StudioSettings>>(() => window.localStorage, "spillway.studio");
let current: StudioSettings | null = null;

function read(): StudioSettings {
  // A screen is picked anew each time: browsers want a click for it.
  current ??= { ...DEFAULTS, ...stored.get(), source: "camera" };
  return current;
}

export function changeSettings(change: Partial<StudioSettings>): StudioSettings {
  current = { ...read(), ...change };
  stored.set(current);
  return current;
}

export const useSettings = (): StudioSettings => useSyncExternalStore(stored.subscribe, read);
