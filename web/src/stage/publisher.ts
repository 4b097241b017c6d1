/** A host's way to the stage: camera and microphone, and a screen beside them, on one connection. */

import type { TrackSource } from "../api/types";
import { addTracks, keepResolution, type PublishSettings } from "../whip/client";

export type Negotiate = (sdp: string, sources: Record<string, TrackSource>) => Promise<string>;

/** 2.5 Mb/s: text of a 1080p screen stays sharp, at 15 frames a second. */
const SCREEN_BITRATE = 2_500_000;

export class StagePublisher {
  readonly pc: RTCPeerConnection;
  private readonly sources = new Map<RTCRtpTransceiver, TrackSource>();
  private queue: Promise<void> = Promise.resolve();

  constructor(
    iceServers: RTCIceServer[],
    media: MediaStream,
    settings: PublishSettings,
    private readonly negotiate: Negotiate,
  ) {
    this.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle", iceServers });
    addTracks(this.pc, media, settings);
    for (const transceiver of this.pc.getTransceivers()) {
      this.sources.set(transceiver, transceiver.sender.track?.kind === "audio" ? "microphone" : "camera");
    }
  }

  /** Offer what there is; one negotiation at a time. */
  async publish(): Promise<void> {
    const turn = this.queue.then(() => this.offer());
    this.queue = turn.catch(() => undefined);
    await turn;
  }

  async replaceTrack(kind: "audio" | "video", track: MediaStreamTrack | null): Promise<void> {
    const wanted = kind === "audio" ? "microphone" : "camera";
    for (const [transceiver, source] of this.sources) {
      if (source === wanted) await transceiver.sender.replaceTrack(track);
    }
  }

  async share(screen: MediaStream): Promise<void> {
    for (const track of screen.getTracks()) {
      if (track.kind === "video") track.contentHint = "detail";
      const transceiver = this.pc.addTransceiver(track, {
        direction: "sendonly",
        streams: [screen],
        ...(track.kind === "video" ? { sendEncodings: [{ maxBitrate: SCREEN_BITRATE }] } : {}),
      });
      this.sources.set(transceiver, track.kind === "video" ? "screen" : "screen-audio");
    }
    await this.publish();
  }

  async unshare(): Promise<void> {
    for (const [transceiver, source] of [...this.sources]) {
      if (source !== "screen" && source !== "screen-audio") continue;
      transceiver.stop();
      this.sources.delete(transceiver);
    }
    await this.publish();
  }

  close(): void {
    this.pc.onconnectionstatechange = null;
    this.pc.close();
  }

  private async offer(): Promise<void> {
    if (this.pc.signalingState === "closed") return;
    await this.pc.setLocalDescription();
    const sources: Record<string, TrackSource> = {};
    for (const [transceiver, source] of this.sources) {
      if (transceiver.mid !== null) sources[transceiver.mid] = source;
    }
    const answer = await this.negotiate(this.pc.localDescription?.sdp ?? "", sources);
    if (this.pc.signalingState !== "have-local-offer") return;
    await this.pc.setRemoteDescription({ type: "answer", sdp: answer });
    await keepResolution(this.pc);
  }
}
