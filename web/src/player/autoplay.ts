/** Autoplay may be refused even when muted (iOS in low power mode): the play button is there for that. */
export function play(video: HTMLVideoElement): void {
  void video.play().catch((error: unknown) => {
    if (!(error instanceof DOMException)) throw error;
  });
}
