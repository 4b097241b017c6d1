/**
 * A debugging aid: `window.__spillway.pc` is the active WHIP or WHEP connection, for getStats() from the console and
 * for tests that look at decoded frames. Nothing in the pages reads it.
 */
declare global {
  interface Window {
    __spillway?: { pc?: RTCPeerConnection };
  }
}

export function exposePeer(pc: RTCPeerConnection | null): void {
  window.__spillway = pc === null ? {} : { pc };
}
