/** Whether the server keeps a window to seek in yet: it begins some seconds after the picture does. */

const PROBE_MS = 5000;

export class WindowProbe {
  /** Where the window is, if there is one. */
  url: string | null = null;
  private afterMs = 0;

  constructor(private readonly signal: AbortSignal) {}

  /** True where it can be played; asks every five seconds at most. */
  async probe(): Promise<boolean> {
    const now = performance.now();
    if (this.url === null || now < this.afterMs) return false;
    this.afterMs = now + PROBE_MS;
    try {
      const response = await fetch(this.url, { signal: this.signal });
      await response.body?.cancel();
      return response.ok;
    } catch {
      // No window, no timeline; the live picture is not concerned.
      return false;
    }
  }
}
