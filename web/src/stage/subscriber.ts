/** What the other hosts send, on one connection that grows and shrinks with the stage. */

import type { StageParticipant, TrackSource } from "../api/types";
import { withStereoOpus } from "../rtc/sdp";

export interface ReceivedTrack {
  participant_id: string;
  kind: "audio" | "video";
  source: TrackSource;
}

export interface SubscribeAnswer {
  sdp: string;
  tracks: Record<string, ReceivedTrack>;
}

/** A host's tracks by source. */
export type HostTracks = Partial<Record<TrackSource, MediaStreamTrack>>;

/** The tracks of everybody else, as one string: another one asks for another offer. */
export function wantedTracks(hosts: readonly StageParticipant[], self: string): string {
  return hosts
    .filter((host) => host.participant_id !== self)
    .flatMap((host) => host.tracks.map((track) => track.track_id))
    .sort()
    .join(" ");
}

/** How many m-lines of each kind the offer needs. */
export function neededLines(hosts: readonly StageParticipant[], self: string): Record<"audio" | "video", number> {
  const tracks = hosts.filter((host) => host.participant_id !== self).flatMap((host) => host.tracks);
  return {
    audio: tracks.filter((track) => track.kind === "audio").length,
    video: tracks.filter((track) => track.kind === "video").length,
  };
}

export class StageSubscriber {
  readonly pc: RTCPeerConnection;
  private received: Record<string, ReceivedTrack> = {};
  private hosts: readonly StageParticipant[] = [];
  private settled = "";
  private busy = false;

  constructor(
    iceServers: RTCIceServer[],
    private readonly self: string,
    private readonly negotiate: (sdp: string) => Promise<SubscribeAnswer>,
    private readonly onTracks: (tracks: Map<string, HostTracks>) => void,
  ) {
    this.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle", iceServers });
  }

  /** Follow the stage. Rejects when the server refuses. */
  async follow(hosts: readonly StageParticipant[]): Promise<void> {
    this.hosts = hosts;
    if (this.busy) return;
    this.busy = true;
    try {
      // what came meanwhile is one more round
      while (wantedTracks(this.hosts, this.self) !== this.settled && this.pc.signalingState !== "closed") {
        const wanted = wantedTracks(this.hosts, this.self);
        await this.offer();
        this.settled = wanted;
      }
    } finally {
      this.busy = false;
    }
  }

  close(): void {
    this.pc.onconnectionstatechange = null;
    this.pc.close();
  }

  private async offer(): Promise<void> {
    const needed = neededLines(this.hosts, this.self);
    for (const kind of ["audio", "video"] as const) {
      const have = this.pc.getTransceivers().filter((each) => each.receiver.track.kind === kind).length;
      for (let n = have; n < needed[kind]; n += 1) this.pc.addTransceiver(kind, { direction: "recvonly" });
    }
    const created = await this.pc.createOffer();
    await this.pc.setLocalDescription({ type: "offer", sdp: withStereoOpus(created.sdp ?? "") });
    const answer = await this.negotiate(this.pc.localDescription?.sdp ?? "");
    if (this.pc.signalingState !== "have-local-offer") return;
    await this.pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    this.received = answer.tracks;
    this.onTracks(this.byHost());
  }

  private byHost(): Map<string, HostTracks> {
    const hosts = new Map<string, HostTracks>();
    for (const transceiver of this.pc.getTransceivers()) {
      const about = transceiver.mid === null ? undefined : this.received[transceiver.mid];
      if (about === undefined) continue;
      const tracks = hosts.get(about.participant_id) ?? {};
      tracks[about.source] = transceiver.receiver.track;
      hosts.set(about.participant_id, tracks);
    }
    return hosts;
  }
}
