import { useEffect, useState, type RefObject } from "react";

export interface Media {
  paused: boolean;
  muted: boolean;
  volume: number;
  fullscreen: boolean;
  pip: boolean;
}

/** The state of the video element, as it tells itself. */
export function useMedia(
  videoRef: RefObject<HTMLVideoElement | null>,
  surfaceRef: RefObject<HTMLDivElement | null>,
): Media {
  const [media, setMedia] = useState<Media>({ paused: true, muted: true, volume: 1, fullscreen: false, pip: false });
  useEffect(() => {
    const video = videoRef.current;
    if (video === null) return;
    const read = (): void =>
      setMedia({
        paused: video.paused,
        muted: video.muted || video.volume === 0,
        volume: video.volume,
        fullscreen: document.fullscreenElement !== null && document.fullscreenElement === surfaceRef.current,
        pip: document.pictureInPictureElement === video,
      });
    const names = ["play", "pause", "volumechange", "enterpictureinpicture", "leavepictureinpicture"];
    for (const name of names) video.addEventListener(name, read);
    document.addEventListener("fullscreenchange", read);
    read();
    return () => {
      for (const name of names) video.removeEventListener(name, read);
      document.removeEventListener("fullscreenchange", read);
    };
  }, [videoRef, surfaceRef]);
  return media;
}

/** Full screen of the whole surface; on an iPhone, where only a video can, of the video. */
export async function toggleFullscreen(surface: HTMLElement, video: HTMLVideoElement): Promise<void> {
  if (document.fullscreenElement !== null) {
    await document.exitFullscreen();
    return;
  }
  const enter = (surface as { requestFullscreen?: () => Promise<void> }).requestFullscreen;
  if (enter !== undefined) await enter.call(surface);
  else (video as { webkitEnterFullscreen?: () => void }).webkitEnterFullscreen?.();
}

export async function togglePictureInPicture(video: HTMLVideoElement): Promise<void> {
  if (document.pictureInPictureElement === video) await document.exitPictureInPicture();
  else await video.requestPictureInPicture();
}

/** Firefox has its own button and no call for it. */
export const canPictureInPicture = (): boolean =>
  (document as { pictureInPictureEnabled?: boolean }).pictureInPictureEnabled === true;

export function setVolume(video: HTMLVideoElement, volume: number): void {
  video.volume = Math.min(1, Math.max(0, volume));
  video.muted = video.volume === 0;
}

export function toggleMute(video: HTMLVideoElement): void {
  video.muted = !video.muted;
  if (!video.muted && video.volume === 0) video.volume = 0.5;
}
