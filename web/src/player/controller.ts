/** Chooses the player, moves between players, and tells the page what is going on. No framework inside. */

import { getPlayback } from "../api/client";
import { explain, ProblemError } from "../api/problem";
import type { Playback } from "../api/types";
import { backoffMs } from "../rtc/recovery";
import { Beacon } from "./beacon";
import { sameChoice, TransportChoice, type Choice } from "./choice";
import type { HlsPlayer } from "./hlsPlayer";
import { dvrUrl } from "./masterPlaylist";
import { AUTO, type Player, type PlayerEnd, type PlayerStats } from "./player";
import { IDLE, type PlayerView } from "./view";
import { WhepPlayer } from "./whepPlayer";
import { WindowProbe } from "./windowProbe";

/** 10 s: only while the socket, which tells at once, is down. */
const POLL_MS = 10_000;
/** Statistics also drive the stall watch, so they are sampled whether shown or not. */
const SAMPLE_MS = 1000;

export interface ControllerOptions {
  streamId: string;
  /** The account's or the playback token, for streams that aren't open to all. */
  token: string | null;
  playbackToken: string | null;
}

export class PlayerController {
  private view = IDLE;
  private player: Player | null = null;
  /** Connecting while the other one still plays (HLS to WebRTC). */
  private next: Player | null = null;
  /** The player while it is behind the live edge. */
  private windowed: HlsPlayer | null = null;
  private readonly choice = new TransportChoice();
  private readonly listeners = new Set<() => void>();
  private readonly abort = new AbortController();
  /** What was decided last. */
  private current: Choice = { mode: "offline" };
  /** What `player` plays: behind `current` while `next` connects. */
  private shown: Choice = { mode: "offline" };
  private readonly window = new WindowProbe(this.abort.signal);
  private socketUp = false;
  private attempt = 0;
  private timers: { poll?: ReturnType<typeof setInterval>; sample?: ReturnType<typeof setInterval>; ask?: ReturnType<typeof setTimeout> } =
    {};
  private lastStats: PlayerStats | null = null;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly options: ControllerOptions,
  ) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): PlayerView => this.view;

  get stats(): PlayerStats | null {
    return this.lastStats;
  }

  start(): void {
    this.set({ state: "connecting" });
    this.timers.poll = setInterval(() => {
      if (!this.socketUp) void this.ask();
    }, POLL_MS);
    this.timers.sample = setInterval(() => void this.sample(), SAMPLE_MS);
    void this.ask();
  }

  stop(): void {
    this.abort.abort();
    clearInterval(this.timers.poll);
    clearInterval(this.timers.sample);
    clearTimeout(this.timers.ask);
    this.dropPlayers();
    this.listeners.clear();
  }

  setSocketUp(up: boolean): void {
    this.socketUp = up;
  }

  /** From the server, by event or by answer. */
  handlePlayback(playback: Playback): void {
    this.window.url = dvrUrl(playback, location.href);
    this.apply(this.choice.handlePlayback(playback));
  }

  /** The error card's "Try again". */
  retry(): void {
    this.dropPlayers();
    this.current = { mode: "offline" };
    this.set({ state: "connecting", message: null });
    void this.ask();
  }

  async setQuality(id: string): Promise<void> {
    await this.player?.setQuality(id);
    this.set({ quality: this.player?.quality ?? AUTO.id });
  }

  /** Watch `behindS` seconds before the live edge. */
  async seekBehind(behindS: number): Promise<void> {
    const { HlsPlayer } = await import("./hlsPlayer");
    if (this.window.url === null || this.abort.signal.aborted) return;
    if (this.windowed !== null) {
      this.windowed.seekBehind(behindS);
      return;
    }
    this.dropPlayers();
    this.set({ shifted: true });
    this.windowed = new HlsPlayer(this.window.url, { behindS, beacon: this.beacon() });
    this.use(this.windowed);
  }

  /** Watch a recording from its start. */
  async replay(manifestUrl: string): Promise<void> {
    const { HlsPlayer } = await import("./hlsPlayer");
    if (this.abort.signal.aborted) return;
    this.dropPlayers();
    this.set({ shifted: true, replaying: true, canSeek: true, state: "connecting", message: null });
    this.windowed = new HlsPlayer(manifestUrl, { replay: true });
    this.use(this.windowed);
  }

  /** Move within the recording, to `behindS` seconds before its end. */
  seekReplay(behindS: number): void {
    this.windowed?.seekBehind(behindS);
  }

  goLive(): void {
    if (!this.view.shifted) return;
    this.dropPlayers();
    this.current = { mode: "offline" };
    this.set({ shifted: false, replaying: false, canSeek: false, state: "connecting" });
    void this.ask();
  }

  /** Seconds behind the live edge while shifted. */
  get behindS(): number {
    return this.windowed?.behindS ?? 0;
  }

  /** How long what is being watched behind the live edge is, s. */
  get lengthS(): number {
    return this.windowed?.lengthS ?? 0;
  }

  private apply(choice: Choice): void {
    // Behind the live edge the window plays on, whatever happens at the edge.
    if (this.view.shifted) return;
    // A working WebRTC session is never bounced: "full" is said to newcomers.
    if (choice.mode === "hls" && this.player?.mode === "webrtc") return;
    if (this.player !== null && sameChoice(choice, this.shown)) {
      this.next?.stop();
      this.next = null;
      this.current = choice;
      void this.player.refresh();
      return;
    }
    if (this.next !== null && sameChoice(choice, this.current)) return;
    this.current = choice;
    switch (choice.mode) {
      case "offline":
        this.dropPlayers();
        this.set({ state: "offline", mode: null, message: null });
        return;
      case "none":
        this.dropPlayers();
        this.set({ state: "error", mode: null, message: this.whyNone() });
        return;
      case "webrtc":
        this.use(new WhepPlayer(choice.whepUrl, this.options.playbackToken));
        return;
      case "hls":
        void this.useHls(choice.manifestUrl);
    }
  }

  private async useHls(manifestUrl: string): Promise<void> {
    const { HlsPlayer } = await import("./hlsPlayer");
    const late = this.player !== null && sameChoice(this.shown, this.current);
    if (this.abort.signal.aborted || this.current.mode !== "hls" || late) return;
    this.use(new HlsPlayer(manifestUrl, { beacon: this.beacon() }));
  }

  private beacon(): Beacon {
    return new Beacon(this.options.streamId, this.options.playbackToken ?? this.options.token);
  }

  /** Start a player. Where one is playing it goes on until the new one has media. */
  private use(player: Player): void {
    this.next?.stop();
    this.next = null;
    player.events.on("ended", (end) => this.handleEnd(player, end));
    player.events.on("qualities", () => this.mirror(player));
    player.events.on("state", () => {
      if (player === this.next && player.state === "playing") this.promote(player);
      this.mirror(player);
    });
    const upgrade = this.player !== null && this.player.mode === "hls" && player.mode === "webrtc";
    player.start();
    if (upgrade) this.next = player;
    else this.promote(player);
  }

  private promote(player: Player): void {
    if (player !== this.player) this.player?.stop();
    this.next = null;
    this.player = player;
    this.shown = this.current;
    this.lastStats = null;
    player.attach(this.video);
    this.mirror(player);
    if (player.state === "playing") void this.probeWindow();
  }

  private mirror(player: Player): void {
    if (player !== this.player) return;
    if (player.state === "playing") {
      this.attempt = 0;
      if (this.view.state !== "playing") void this.probeWindow();
    }
    this.set({
      state: player.state,
      mode: player.mode,
      qualities: player.qualities,
      quality: player.quality,
      message: null,
    });
  }

  private handleEnd(player: Player, end: PlayerEnd): void {
    const wasNext = player === this.next;
    player.stop();
    if (wasNext) this.next = null;
    else if (player === this.player) this.player = null;
    if (this.view.shifted) {
      this.goLive();
      return;
    }
    if (end.reason === "refused" && player.mode === "webrtc") {
      this.dropPlayers();
      this.set({ state: "error", mode: null, message: end.problem?.message ?? "This stream can't be watched." });
      return;
    }
    const choice = this.choice.handleEnd(player.mode, end.reason, end.problem?.problem.manifest_url ?? null);
    if (wasNext) {
      this.current = this.shown;
      return;
    }
    if (end.reason === "offline") {
      this.set({ state: "reconnecting" });
      this.current = { mode: "offline" };
      this.askLater();
      return;
    }
    this.apply(choice);
  }

  private dropPlayers(): void {
    this.player?.stop();
    this.next?.stop();
    this.player = null;
    this.next = null;
    this.windowed = null;
    this.lastStats = null;
  }

  private askLater(): void {
    clearTimeout(this.timers.ask);
    this.timers.ask = setTimeout(() => void this.ask(), backoffMs(this.attempt, Math.random()));
    this.attempt += 1;
  }

  private async ask(): Promise<void> {
    try {
      const token = this.options.playbackToken ?? this.options.token;
      this.handlePlayback(await getPlayback(this.options.streamId, token, this.abort.signal));
    } catch (error) {
      if (this.abort.signal.aborted || this.player !== null) return;
      const final = error instanceof ProblemError && [401, 403, 404, 410].includes(error.status);
      this.set({ state: final ? "error" : "connecting", mode: null, message: explain(error) });
      if (!final) this.askLater();
    }
  }

  private async probeWindow(): Promise<void> {
    if (!this.view.canSeek && (await this.window.probe())) this.set({ canSeek: true });
  }

  private async sample(): Promise<void> {
    const { player } = this;
    // The first segments of a broadcast come some seconds after its picture does over WebRTC.
    if (player?.state === "playing") void this.probeWindow();
    const stats = (await player?.stats()) ?? null;
    if (player === this.player) this.lastStats = stats;
  }

  private whyNone(): string {
    return this.choice.webrtcBarred
      ? "This network doesn't let live video through, and the stream has no other way in yet."
      : "All seats are taken right now. You'll get in as soon as one is free.";
  }

  private set(change: Partial<PlayerView>): void {
    this.view = { ...this.view, ...change };
    for (const listener of [...this.listeners]) listener();
  }
}
