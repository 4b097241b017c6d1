/** Cameras, microphones and screens as one MediaStream. */

import type { FrameRate, Height } from "../../whip/encodings";
import type { CaptureSource } from "./mediaErrors";

/** "" is the browser's default device, NONE is none at all. */
export const NONE = "none";

export interface CaptureSettings {
  source: CaptureSource;
  cameraId: string;
  microphoneId: string;
  height: Height;
  frameRate: FrameRate;
}

export interface Captured {
  stream: MediaStream;
  /** Also ends what isn't in the stream itself: a microphone that was mixed into it. */
  stop: () => void;
}

function videoConstraints({ height, frameRate }: CaptureSettings): MediaTrackConstraints {
  return {
    width: { ideal: Math.round((height * 16) / 9) },
    height: { ideal: height },
    frameRate: { ideal: frameRate },
  };
}

const device = (id: string): MediaTrackConstraints => (id === "" ? {} : { deviceId: { exact: id } });

/** Rejects with the browser's DOMException (or TypeError when both devices are NONE). */
export async function capture(settings: CaptureSettings): Promise<Captured> {
  return settings.source === "screen" ? captureScreen(settings) : captureCamera(settings);
}

async function captureCamera(settings: CaptureSettings): Promise<Captured> {
  const { cameraId, microphoneId } = settings;
  const stream = await navigator.mediaDevices.getUserMedia({
    video: cameraId === NONE ? false : { ...videoConstraints(settings), ...device(cameraId) },
    audio: microphoneId === NONE ? false : { ...device(microphoneId), channelCount: { ideal: 2 } },
  });
  return { stream, stop: () => stopTracks(stream) };
}

async function captureScreen(settings: CaptureSettings): Promise<Captured> {
  const screen = await navigator.mediaDevices.getDisplayMedia({
    video: videoConstraints(settings),
    // Music and games, not speech: the voice filters would mangle them.
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  if (settings.microphoneId === NONE) return { stream: screen, stop: () => stopTracks(screen) };
  let microphone: MediaStream;
  try {
    microphone = await navigator.mediaDevices.getUserMedia({ audio: device(settings.microphoneId) });
  } catch (error) {
    stopTracks(screen);
    throw error;
  }
  return mix(screen, microphone);
}

/** One video track, and the sound of both as one track. */
function mix(screen: MediaStream, microphone: MediaStream): Captured {
  if (screen.getAudioTracks().length === 0) {
    const stream = new MediaStream([...screen.getVideoTracks(), ...microphone.getAudioTracks()]);
    return { stream, stop: () => stopTracks(stream) };
  }
  const context = new AudioContext({ sampleRate: 48_000 });
  const sum = context.createMediaStreamDestination();
  for (const part of [screen, microphone]) context.createMediaStreamSource(part).connect(sum);
  return {
    stream: new MediaStream([...screen.getVideoTracks(), ...sum.stream.getAudioTracks()]),
    stop: () => {
      stopTracks(screen);
      stopTracks(microphone);
      void context.close();
    },
  };
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

export interface Devices {
  cameras: MediaDeviceInfo[];
  microphones: MediaDeviceInfo[];
}

export async function listDevices(): Promise<Devices> {
  const all = await navigator.mediaDevices.enumerateDevices();
  const named = all.filter((each) => each.deviceId !== "");
  return {
    cameras: named.filter((each) => each.kind === "videoinput"),
    microphones: named.filter((each) => each.kind === "audioinput" && each.deviceId !== "default"),
  };
}
