/**
 * A debugging aid: `window.__spillway.pc` is the active WHIP or WHEP connection, for getStats() from the console and
 * for tests that look at decoded frames. Nothing in the pages reads it.
 */
declare global {
  interface Window {
    __spillway?: { pc?: RTCPeerConnection; stage?: StagePeers };
  }
}

export interface StagePeers {
  publisher?: RTCPeerConnection;
  subscriber?: RTCPeerConnection;
}

export function exposePeer(pc: RTCPeerConnection | null): void {
  const { pc: _, ...rest } = window.__spillway ?? {};
  window.__spillway = pc === null ? rest : { ...rest, pc };
}

/** The connections of a host on stage. */
export function exposeStage(stage: StagePeers): void {
  window.__spillway = { ...window.__spillway, stage };
}
