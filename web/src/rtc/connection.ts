/** One WHIP or WHEP connection that heals itself. The driver around Recovery: it owns the clock and the network. */

import { Emitter } from "../api/emitter";
import { ProblemError } from "../api/problem";
import { exposePeer } from "./debug";
import { Recovery, type RecoveryCommand } from "./recovery";
import { SessionResource } from "./resource";
import { applyIceFragment, iceFragment } from "./sdp";

export type ConnectionState = "idle" | "connecting" | "connected" | "reconnecting" | "refused";

export interface ConnectionEvents {
  state: ConnectionState;
  track: RTCTrackEvent;
  /** A fresh peer connection took the place of the last one: old tracks are dead. */
  peer: RTCPeerConnection;
  /** The server said no for good. The connection is stopped. */
  refused: ProblemError;
  /** Signalling works and media does not: ICE failed so many times in a row. */
  blocked: number;
}

export interface ConnectionSpec {
  endpoint: string;
  bearer: string | null;
  /** Add transceivers to a fresh peer connection. */
  prepare: (pc: RTCPeerConnection) => void;
  shapeOffer: (sdp: string) => string;
  /** Runs after negotiation, when sender parameters may be set. */
  negotiated?: (pc: RTCPeerConnection) => Promise<void>;
  /** Whether a refusal ends the attempts; otherwise they go on with backoff. */
  isFinal: (problem: ProblemError) => boolean;
}

export class Connection {
  readonly events = new Emitter<ConnectionEvents>();
  private readonly recovery = new Recovery();
  private pc: RTCPeerConnection | null = null;
  private resource: SessionResource | null = null;
  private abort = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stateNow: ConnectionState = "idle";
  private wasConnected = false;

  constructor(private readonly spec: ConnectionSpec) {}

  get state(): ConnectionState {
    return this.stateNow;
  }

  get peer(): RTCPeerConnection | null {
    return this.pc;
  }

  get session(): SessionResource | null {
    return this.resource;
  }

  start(): void {
    if (this.recovery.phase !== "idle") return;
    window.addEventListener("pagehide", this.onPageHide);
    window.addEventListener("pageshow", this.onPageShow);
    window.addEventListener("online", this.onOnline);
    this.execute(this.recovery.start());
  }

  /** Idempotent. Resolves when the server's session is deleted. */
  async stop(): Promise<void> {
    window.removeEventListener("pagehide", this.onPageHide);
    window.removeEventListener("pageshow", this.onPageShow);
    window.removeEventListener("online", this.onOnline);
    this.recovery.stop();
    this.schedule();
    this.setState("idle");
    await this.dropSession();
  }

  private readonly onPageHide = (): void => {
    this.recovery.stop();
    this.schedule();
    void this.dropSession();
  };

  /** The page came back from the back/forward cache, where pagehide had ended the session. */
  private readonly onPageShow = (event: PageTransitionEvent): void => {
    if (event.persisted && this.recovery.phase === "idle") this.execute(this.recovery.start());
  };

  private readonly onOnline = (): void => {
    this.execute(this.recovery.handle({ kind: "online" }, performance.now()));
  };

  private readonly onIceChange = (): void => {
    const state = this.pc?.connectionState;
    if (state !== "connected" && state !== "disconnected" && state !== "failed") return;
    this.advance({ kind: state });
  };

  private advance(event: Parameters<Recovery["handle"]>[0]): void {
    this.execute(this.recovery.handle(event, performance.now()));
  }

  private execute(command: RecoveryCommand): void {
    this.schedule();
    this.publishState();
    if (command === "join") void this.join();
    else if (command === "restart-ice") void this.restartIce();
  }

  private schedule(): void {
    clearTimeout(this.timer);
    const { deadline } = this.recovery;
    if (deadline === null) return;
    this.timer = setTimeout(
      () => {
        const failures = this.recovery.iceFailures;
        this.execute(this.recovery.handleTimeout(performance.now()));
        this.reportBlocked(failures);
      },
      Math.max(0, deadline.atMs - performance.now()) + 1,
    );
  }

  private reportBlocked(before: number): void {
    if (this.recovery.iceFailures > before) this.events.emit("blocked", this.recovery.iceFailures);
  }

  private publishState(): void {
    switch (this.recovery.phase) {
      case "idle":
        return;
      case "connected":
        this.wasConnected = true;
        this.setState("connected");
        return;
      case "suspect":
        // Still within the grace period: media may well go on.
        return;
      case "joining":
      case "connecting":
      case "backoff":
      case "restarting":
        this.setState(this.wasConnected ? "reconnecting" : "connecting");
    }
  }

  private setState(state: ConnectionState): void {
    if (this.stateNow === state) return;
    this.stateNow = state;
    this.events.emit("state", state);
  }

  private async dropSession(): Promise<void> {
    this.abort.abort();
    const { pc, resource } = this;
    this.pc = null;
    this.resource = null;
    if (pc !== null) {
      pc.onconnectionstatechange = null;
      pc.ontrack = null;
      pc.close();
      exposePeer(null);
    }
    await resource?.close();
  }

  private async join(): Promise<void> {
    void this.dropSession();
    const abort = (this.abort = new AbortController());
    const left = (): boolean => abort.signal.aborted;
    const pc = (this.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" }));
    exposePeer(pc);
    pc.onconnectionstatechange = () => {
      const failures = this.recovery.iceFailures;
      this.onIceChange();
      this.reportBlocked(failures);
    };
    pc.ontrack = (event) => this.events.emit("track", event);
    this.events.emit("peer", pc);
    try {
      this.spec.prepare(pc);
      const created = await pc.createOffer();
      const offer = this.spec.shapeOffer(created.sdp ?? "");
      // POST before setLocalDescription: ICE servers from the answer's Link headers take part in gathering then, and
      // an ICE-lite server needs none of our candidates (RFC 9725 sections 4.3.2 and 4.6).
      const { resource, answer, iceServers } = await SessionResource.create(
        this.spec.endpoint,
        offer,
        this.spec.bearer,
        abort.signal,
      );
      if (left()) {
        await resource.close();
        return;
      }
      this.resource = resource;
      if (iceServers.length > 0) pc.setConfiguration({ ...pc.getConfiguration(), iceServers });
      await pc.setLocalDescription({ type: "offer", sdp: offer });
      await pc.setRemoteDescription({ type: "answer", sdp: answer });
      await this.spec.negotiated?.(pc);
      if (!left()) this.advance({ kind: "negotiated" });
    } catch (error) {
      if (!left()) this.handleJoinError(error);
    }
  }

  private handleJoinError(error: unknown): void {
    const problem = error instanceof ProblemError ? error : null;
    if (problem !== null && this.spec.isFinal(problem)) {
      void this.stop();
      this.setState("refused");
      this.events.emit("refused", problem);
      return;
    }
    void this.dropSession();
    this.advance({ kind: "join-failed", retryAfterMs: problem?.retryAfterMs ?? null });
  }

  private async restartIce(): Promise<void> {
    const { pc, resource, abort } = this;
    const answer = pc?.currentRemoteDescription;
    if (pc === null || resource === null || !answer) {
      this.advance({ kind: "restart-refused" });
      return;
    }
    try {
      const created = await pc.createOffer({ iceRestart: true });
      const offer = this.spec.shapeOffer(created.sdp ?? "");
      await pc.setLocalDescription({ type: "offer", sdp: offer });
      const fragment = await resource.restartIce(iceFragment(offer), abort.signal);
      if (pc.signalingState !== "have-local-offer") return;
      await pc.setRemoteDescription({ type: "answer", sdp: applyIceFragment(answer.sdp, fragment) });
      // The old path may have come back meanwhile: then no change of state follows.
      if (pc.connectionState === "connected") this.advance({ kind: "connected" });
    } catch {
      // Whatever the reason, the way on is the same: a clean join, which reports its own error.
      if (!abort.signal.aborted) this.advance({ kind: "restart-refused" });
    }
  }
}
