import { Emitter } from "../api/emitter";
import type { ProblemError } from "../api/problem";
import { WhepClient, type EncodingRid } from "../whep/client";
import { play } from "./autoplay";
import { AUTO, type EndReason, type Player, type PlayerEvents, type PlayerState, type PlayerStats } from "./player";
import { entriesOf, sampleReceiver, type ReceiveTotals } from "./webrtcStats";

const QUALITIES = [
  AUTO,
  { id: "h", label: "High" },
  { id: "m", label: "Medium" },
  { id: "l", label: "Low" },
];

/** Twice in a row signalling worked and no packet came: WebRTC doesn't get through here. */
const BLOCKED_AFTER = 2;

/** 4 s without a packet on a healthy transport: the host has stalled. */
const STALL_SAMPLES = 4;

const END_BY_STATUS: Record<number, EndReason> = { 404: "refused", 409: "offline", 503: "full", 406: "unsupported" };

/** The Program over WebRTC. */
export class WhepPlayer implements Player {
  readonly mode = "webrtc";
  readonly events = new Emitter<PlayerEvents>();
  readonly qualities = QUALITIES;
  quality = AUTO.id;
  state: PlayerState = "connecting";
  private readonly client: WhepClient;
  private stream = new MediaStream();
  private video: HTMLVideoElement | null = null;
  private totals: ReceiveTotals | null = null;
  private stalled = 0;
  private everPlayed = false;

  constructor(endpoint: string, playbackToken: string | null) {
    this.client = new WhepClient(endpoint, playbackToken);
    this.client.events.on("peer", () => this.renewStream());
    this.client.events.on("track", ({ track }) => this.addTrack(track));
    this.client.events.on("state", (state) => {
      if (state === "connected") this.setState("playing");
      else if (state !== "idle" && state !== "refused") this.setState("reconnecting");
      if (state === "connected" && this.quality !== AUTO.id) void this.reselect();
    });
    this.client.events.on("refused", (problem) => this.handleRefusal(problem));
    this.client.events.on("blocked", (failures) => {
      if (failures >= BLOCKED_AFTER) this.events.emit("ended", { reason: "blocked", problem: null });
    });
  }

  start(): void {
    this.client.start();
  }

  attach(video: HTMLVideoElement): void {
    this.video = video;
    video.srcObject = this.stream;
    play(video);
  }

  stop(): void {
    this.events.clear();
    void this.client.stop();
    if (this.video?.srcObject === this.stream) this.video.srcObject = null;
    this.video = null;
  }

  /** The encodings of a Program have fixed names: nothing to look for. */
  refresh(): Promise<void> {
    return Promise.resolve();
  }

  async stats(): Promise<PlayerStats | null> {
    const report = await this.client.peer?.getStats();
    if (report === undefined) return null;
    const { stats, totals } = sampleReceiver(entriesOf(report), this.totals);
    this.watchForStall(totals);
    this.totals = totals;
    return stats;
  }

  async setQuality(id: string): Promise<void> {
    await this.client.selectEncoding(id as EncodingRid);
    this.quality = id;
  }

  /** A rejoined session starts at the server's own choice. */
  private async reselect(): Promise<void> {
    try {
      await this.client.selectEncoding(this.quality as EncodingRid);
    } catch {
      // The encoding is gone: what the server chose plays on, and the menu says so.
      this.quality = AUTO.id;
      this.events.emit("qualities", this.qualities);
    }
  }

  private handleRefusal(problem: ProblemError): void {
    const reason = END_BY_STATUS[problem.status] ?? "refused";
    this.events.emit("ended", { reason, problem });
  }

  private renewStream(): void {
    this.totals = null;
    this.stalled = 0;
    const shown = this.video !== null && this.video.srcObject === this.stream;
    this.stream = new MediaStream();
    // The last picture stands until the new connection has tracks.
    if (shown && !this.everPlayed) this.show();
  }

  private addTrack(track: MediaStreamTrack): void {
    this.stream.addTrack(track);
    this.show();
  }

  private show(): void {
    if (this.video === null || this.video.srcObject === this.stream) return;
    this.video.srcObject = this.stream;
    play(this.video);
  }

  private watchForStall(totals: ReceiveTotals): void {
    if (this.totals === null || this.client.state !== "connected") return;
    // Sound alone counts too: the host may have turned the camera off.
    this.stalled = totals.bytes > this.totals.bytes ? 0 : this.stalled + 1;
    this.setState(this.stalled >= STALL_SAMPLES ? "reconnecting" : "playing");
  }

  private setState(next: PlayerState): void {
    const state = next === "reconnecting" && !this.everPlayed ? "connecting" : next;
    if (state === "playing") this.everPlayed = true;
    if (this.state === state) return;
    this.state = state;
    this.events.emit("state", state);
  }
}
