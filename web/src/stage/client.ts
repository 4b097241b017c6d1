/** A host on stage: enters, publishes, receives the others, and heals what breaks. */

import { Emitter } from "../api/emitter";
import type { Gateway } from "../api/gateway";
import { ProblemError } from "../api/problem";
import type { StageView } from "../api/types";
import { exposeStage } from "../rtc/debug";
import type { PublishSettings } from "../whip/client";
import { StagePublisher } from "./publisher";
import { StageSubscriber, type HostTracks, type SubscribeAnswer } from "./subscriber";

export type StageState = "off" | "entering" | "on" | "reconnecting";

export interface StageEvents {
  state: StageState;
  view: StageView;
  tracks: Map<string, HostTracks>;
  /** Off the stage for good, and why. */
  ended: string;
}

interface EnterAnswer {
  participant_id: string;
  reentry: string;
  ice_servers: RTCIceServer[];
  stage: StageView;
}

/** Who enters: the owner without an invite. `reentry` lets the same page in again. */
export interface Pass {
  invite?: string;
  name?: string;
}

export class StageClient {
  readonly events = new Emitter<StageEvents>();
  participantId: string | null = null;
  private publisher: StagePublisher | null = null;
  private subscriber: StageSubscriber | null = null;
  private screen: MediaStream | null = null;
  private iceServers: RTCIceServer[] = [];
  private stateNow: StageState = "off";
  private reentry: string | null = null;
  private off: (() => void)[] = [];
  private retry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly gateway: Gateway,
    private media: MediaStream,
    private readonly settings: PublishSettings,
    private readonly onReentry: (reentry: string | null) => void = () => undefined,
  ) {}

  get state(): StageState {
    return this.stateNow;
  }

  get peer(): RTCPeerConnection | null {
    return this.publisher?.pc ?? null;
  }

  get receiving(): RTCPeerConnection | null {
    return this.subscriber?.pc ?? null;
  }

  /** Rejects with ProblemError when the stage doesn't let one in. */
  async enter(pass: Pass): Promise<void> {
    this.setState("entering");
    try {
      const answer = await this.gateway.request<EnterAnswer>("stage:enter", pass);
      this.listen();
      this.take(answer);
      await this.open();
      this.setState("on");
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async replaceTrack(kind: "audio" | "video", track: MediaStreamTrack | null, media: MediaStream): Promise<void> {
    this.media = media;
    await this.publisher?.replaceTrack(kind, track);
  }

  async share(screen: MediaStream): Promise<void> {
    this.screen = screen;
    await this.publisher?.share(screen);
  }

  async unshare(): Promise<void> {
    for (const track of this.screen?.getTracks() ?? []) track.stop();
    this.screen = null;
    await this.publisher?.unshare();
  }

  async leave(): Promise<void> {
    if (this.stateNow === "off") return;
    const asked = this.gateway.request("stage:leave").catch(() => undefined);
    await this.close();
    await asked;
  }

  private listen(): void {
    if (this.off.length > 0) return;
    const pageHide = (): void => void this.leave();
    window.addEventListener("pagehide", pageHide);
    this.off = [
      () => window.removeEventListener("pagehide", pageHide),
      this.gateway.events.on("stage", (view) => this.follow(view)),
      this.gateway.events.on("connected", () => void this.reenter()),
      this.gateway.events.on("notice", (notice) => {
        if (notice.type.startsWith("stage-") || notice.type === "stream-deleted") void this.end(notice.text);
      }),
    ];
  }

  private take(answer: EnterAnswer): void {
    this.participantId = answer.participant_id;
    this.reentry = answer.reentry;
    this.onReentry(answer.reentry);
    this.iceServers = answer.ice_servers;
    this.events.emit("view", answer.stage);
    if (this.subscriber !== null) this.follow(answer.stage);
    else this.pending = answer.stage;
  }

  private pending: StageView | null = null;

  private async open(): Promise<void> {
    const self = this.participantId ?? "";
    const publisher = new StagePublisher(this.iceServers, this.media, this.settings, async (sdp, sources) => {
      const answer = await this.gateway.request<{ sdp: string }>("publish", { sdp, sources });
      return answer.sdp;
    });
    const subscriber = new StageSubscriber(
      this.iceServers,
      self,
      (sdp) => this.gateway.request<SubscribeAnswer>("subscribe", { sdp }),
      (tracks) => this.events.emit("tracks", tracks),
    );
    this.publisher = publisher;
    this.subscriber = subscriber;
    exposeStage({ publisher: publisher.pc, subscriber: subscriber.pc });
    for (const { pc } of [publisher, subscriber]) {
      pc.onconnectionstatechange = () => {
        if (pc.connectionState === "failed") void this.reopen();
      };
    }
    await publisher.publish();
    if (this.screen !== null) await publisher.share(this.screen);
    if (this.pending !== null) this.follow(this.pending);
    this.pending = null;
  }

  private follow(view: StageView): void {
    this.events.emit("view", view);
    this.subscriber?.follow(view.participants).catch(() => {
      // no answer, or the stage is over: the next event, or the next connection, asks again
    });
  }

  /** The socket is back: the same host, whose media may never have stopped. */
  private async reenter(): Promise<void> {
    if (this.reentry === null || this.stateNow === "off" || this.stateNow === "entering") return;
    try {
      const answer = await this.gateway.request<EnterAnswer>("stage:enter", { invite: this.reentry });
      const known = answer.stage.participants.find((each) => each.participant_id === answer.participant_id);
      this.take(answer);
      if ((known?.tracks.length ?? 0) === 0 || this.publisher?.pc.connectionState !== "connected") await this.reopen();
      else this.setState("on");
    } catch (error) {
      if (!(error instanceof ProblemError)) return;
      await this.end(error.message);
    }
  }

  private async reopen(): Promise<void> {
    clearTimeout(this.retry);
    if (this.stateNow === "off") return;
    this.setState("reconnecting");
    this.publisher?.close();
    this.subscriber?.close();
    try {
      await this.open();
      this.setState("on");
    } catch {
      this.retry = setTimeout(() => void this.reopen(), 2000);
    }
  }

  private async end(why: string): Promise<void> {
    this.onReentry(null);
    await this.close();
    this.events.emit("ended", why);
  }

  private async close(): Promise<void> {
    clearTimeout(this.retry);
    for (const each of this.off) each();
    this.off = [];
    this.publisher?.close();
    this.subscriber?.close();
    this.publisher = this.subscriber = null;
    this.reentry = null;
    for (const track of this.screen?.getTracks() ?? []) track.stop();
    this.screen = null;
    exposeStage({});
    this.setState("off");
    await Promise.resolve();
  }

  private setState(state: StageState): void {
    if (this.stateNow === state) return;
    this.stateNow = state;
    this.events.emit("state", state);
  }
}
