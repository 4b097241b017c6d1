import Hls, {
  ErrorTypes,
  Events,
  type ErrorData,
  type HlsConfig,
  type LoaderCallbacks,
  type LoaderConfiguration,
  type PlaylistLoaderConstructor,
  type PlaylistLoaderContext,
} from "hls.js";
import workerPath from "hls.js/dist/hls.worker.js?url";

import { Emitter } from "../api/emitter";
import { backoffMs } from "../rtc/recovery";
import { play } from "./autoplay";
import type { Beacon } from "./beacon";
import { patient } from "./blockingReload";
import { LiveSync } from "./liveSync";
import { countVariants, rungLabel } from "./masterPlaylist";
import { AUTO, type Player, type PlayerEvents, type PlayerState, type PlayerStats, type Quality } from "./player";

/** Where playing begins, behind the newest part; `LiveSync` keeps it there. */
const LOW_LATENCY_TARGET_S = 0.7;

/** Beyond this it jumps instead of playing faster: a minute and more would pass until it is there. */
const FAR_BEHIND_S = 6;

class PatientLoader extends (Hls.DefaultConfig.loader as PlaylistLoaderConstructor) {
  override load(
    context: PlaylistLoaderContext,
    configuration: LoaderConfiguration,
    callbacks: LoaderCallbacks<PlaylistLoaderContext>,
  ): void {
    super.load(context, patient(context, configuration), callbacks);
  }
}

const LIVE: Partial<HlsConfig> = {
  lowLatencyMode: true,
  // The rate is left to LiveSync.
  maxLiveSyncPlaybackRate: 1,
  liveSyncOnStallIncrease: 0.25,
  backBufferLength: 30,
  pLoader: PatientLoader,
};

const WINDOWED: Partial<HlsConfig> = { lowLatencyMode: false, backBufferLength: 60, maxBufferLength: 20 };

const MEDIA_EVENTS = ["loadedmetadata", "playing", "waiting", "ended", "error"] as const;

export interface HlsOptions {
  /** The manifest has a window to seek in: begin this long before the live edge (s). Absent: play at the edge. */
  behindS?: number;
  /** A recording: begin at its start. */
  replay?: boolean;
  /** Counts this viewer while it plays. */
  beacon?: Beacon;
}

/** The Program over HLS: hls.js where there is Media Source, the browser's own player elsewhere (iPhone). */
export class HlsPlayer implements Player {
  readonly mode = "hls";
  readonly events = new Emitter<PlayerEvents>();
  state: PlayerState = "connecting";
  qualities: Quality[] = [AUTO];
  quality = AUTO.id;
  private hls: Hls | null = null;
  private video: HTMLVideoElement | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;
  private variants = 0;
  private everPlayed = false;
  private bytes: { total: number; atMs: number } | null = null;
  private loaded = 0;
  private readonly sync = new LiveSync();
  private frames: { total: number; atMs: number } | null = null;

  constructor(
    private readonly manifestUrl: string,
    private readonly options: HlsOptions = {},
  ) {}

  private get windowed(): boolean {
    return this.options.behindS !== undefined || this.options.replay === true;
  }

  start(): void {
    // Ask hls.js first: Chromium says "maybe" to HLS and plays it without low latency.
    if (!Hls.isSupported()) return;
    const hls = new Hls({
      ...(this.windowed ? WINDOWED : LIVE),
      workerPath,
    });
    this.hls = hls;
    hls.on(Events.MANIFEST_PARSED, (_, { levels }) => {
      this.failures = 0;
      this.variants = levels.length;
      this.qualities = [
        AUTO,
        ...levels
          .map((level, index) => ({ id: String(index), label: rungLabel(level.height, level.frameRate, level.bitrate) }))
          .reverse(),
      ];
      this.events.emit("qualities", this.qualities);
    });
    hls.once(Events.LEVEL_LOADED, (_, { details }) => {
      if (details.live && details.partTarget > 0 && !this.windowed) hls.targetLatency = LOW_LATENCY_TARGET_S;
    });
    if (!this.windowed) hls.on(Events.BUFFER_APPENDING, this.followEdge);
    hls.on(Events.FRAG_LOADED, (_, { frag }) => (this.loaded += frag.stats.loaded));
    hls.on(Events.ERROR, (_, data) => this.handleError(data));
    hls.loadSource(this.manifestUrl);
  }

  attach(video: HTMLVideoElement): void {
    this.video = video;
    for (const name of MEDIA_EVENTS) video.addEventListener(name, this.onMedia);
    if (this.hls !== null) {
      this.hls.attachMedia(video);
    } else if (video.canPlayType("application/vnd.apple.mpegurl") !== "") {
      video.src = this.manifestUrl;
    } else {
      this.events.emit("ended", { reason: "unsupported", problem: null });
      return;
    }
    play(video);
  }

  stop(): void {
    this.events.clear();
    this.options.beacon?.stop();
    clearTimeout(this.retry);
    this.hls?.destroy();
    const { video } = this;
    if (video !== null) {
      for (const name of MEDIA_EVENTS) video.removeEventListener(name, this.onMedia);
      if (this.hls === null) video.removeAttribute("src");
      video.playbackRate = 1;
    }
    this.hls = null;
    this.video = null;
  }

  /** Players read a master playlist once: look whether it has other rungs now, and load it afresh if so. */
  async refresh(): Promise<void> {
    const { hls } = this;
    if (hls === null || this.variants === 0) return;
    const now = await this.countOffered();
    if (now !== null && now !== this.variants && this.hls === hls) hls.loadSource(this.manifestUrl);
  }

  private async countOffered(): Promise<number | null> {
    try {
      const response = await fetch(this.manifestUrl);
      return response.ok ? countVariants(await response.text()) : null;
    } catch {
      // Nobody answered: hls.js has its own way back, and the list stays as it is.
      return null;
    }
  }

  /** Move within the window, `behindS` seconds before its end. */
  seekBehind(behindS: number): void {
    const range = this.video?.seekable;
    if (!this.windowed || this.video === null || range === undefined || range.length === 0) return;
    const last = range.length - 1;
    this.video.currentTime = Math.max(range.start(0), range.end(last) - behindS);
  }

  /** How long before the end of the window the picture is, s. */
  get behindS(): number {
    const range = this.video?.seekable;
    if (this.video === null || range === undefined || range.length === 0) return 0;
    return Math.max(0, range.end(range.length - 1) - this.video.currentTime);
  }

  /** How long the window or the recording is, s. */
  get lengthS(): number {
    const range = this.video?.seekable;
    if (range === undefined || range.length === 0) return 0;
    return range.end(range.length - 1) - range.start(0);
  }

  stats(): Promise<PlayerStats | null> {
    const { video, hls } = this;
    if (video === null) return Promise.resolve(null);
    const nowMs = performance.now();
    const picture = video.getVideoPlaybackQuality();
    const level = hls === null ? undefined : hls.levels[hls.currentLevel];
    const rate = perSecond(this.bytes, this.loaded, nowMs);
    const framesPerSecond = perSecond(this.frames, picture.totalVideoFrames, nowMs);
    this.bytes = { total: this.loaded, atMs: nowMs };
    this.frames = { total: picture.totalVideoFrames, atMs: nowMs };
    return Promise.resolve({
      mode: "hls",
      latencyMs: hls !== null && hls.latency > 0 ? hls.latency * 1000 : null,
      bitrateBps: level?.bitrate ?? (rate === null ? null : rate * 8),
      width: video.videoWidth,
      height: video.videoHeight,
      framesPerSecond,
      videoCodec: level?.videoCodec ?? null,
      audioCodec: level?.audioCodec ?? null,
      lossRatio: null,
      freezes: null,
      droppedFrames: picture.droppedVideoFrames,
      roundTripMs: null,
    });
  }

  setQuality(id: string): Promise<void> {
    if (this.hls !== null) this.hls.nextLevel = id === AUTO.id ? -1 : Number(id);
    this.quality = id;
    return Promise.resolve();
  }

  private readonly followEdge = (): void => {
    const { video, hls } = this;
    if (video === null || video.paused || video.seeking || hls?.latestLevelDetails?.live !== true) return;
    const { buffered } = video;
    if (buffered.length === 0) return;
    const aheadS = buffered.end(buffered.length - 1) - video.currentTime;
    if (aheadS > FAR_BEHIND_S && hls.liveSyncPosition !== null) {
      video.currentTime = hls.liveSyncPosition;
      this.sync.restart();
      return;
    }
    const rate = this.sync.update(aheadS, performance.now());
    if (video.playbackRate !== rate) video.playbackRate = rate;
  };

  private readonly onMedia = (event: Event): void => {
    if (event.type === "loadedmetadata") this.seekBehind(this.options.behindS ?? Number.POSITIVE_INFINITY);
    else if (event.type === "playing") this.setState("playing");
    else if (event.type === "waiting") this.wait();
    else if (this.hls === null || event.type === "ended") this.events.emit("ended", { reason: "offline", problem: null });
  };

  private wait(): void {
    // A seek waits as well, and says nothing about the line.
    if (this.everPlayed && this.video?.seeking === false) this.sync.stalled();
    else this.sync.restart();
    this.setState("reconnecting");
  }

  private handleError(data: ErrorData): void {
    if (!data.fatal) return;
    const status = data.response?.code;
    if (status === 404 || status === 410) {
      this.events.emit("ended", { reason: "offline", problem: null });
      return;
    }
    if (status === 401 || status === 403) {
      this.events.emit("ended", { reason: "refused", problem: null });
      return;
    }
    this.setState("reconnecting");
    if (data.type === ErrorTypes.MEDIA_ERROR) this.hls?.recoverMediaError();
    else this.reload();
  }

  private reload(): void {
    clearTimeout(this.retry);
    this.retry = setTimeout(() => {
      if (this.variants === 0) this.hls?.loadSource(this.manifestUrl);
      else this.hls?.startLoad(-1);
    }, backoffMs(this.failures, Math.random()));
    this.failures += 1;
  }

  private setState(next: PlayerState): void {
    const state = next === "reconnecting" && !this.everPlayed ? "connecting" : next;
    if (state === "playing") {
      this.everPlayed = true;
      this.options.beacon?.start();
    }
    if (this.state === state) return;
    this.state = state;
    this.events.emit("state", state);
  }
}

function perSecond(last: { total: number; atMs: number } | null, total: number, nowMs: number): number | null {
  if (last === null || nowMs <= last.atMs) return null;
  return ((total - last.total) * 1000) / (nowMs - last.atMs);
}
