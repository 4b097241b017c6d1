/** A WHIP host: publishes the tracks of one MediaStream with simulcast. */

import type { ProblemError } from "../api/problem";
import { Connection } from "../rtc/connection";
import { codecOrder, sendEncodings, type CodecChoice, type FrameRate, type Height } from "./encodings";

export interface PublishSettings {
  height: Height;
  frameRate: FrameRate;
  codec: CodecChoice;
  simulcast: boolean;
}

const RETRIED = new Set([408, 425, 429, 500, 502, 503, 504]);

/** 128 kb/s: transparent for stereo music in Opus. */
const AUDIO_BITRATE = 128_000;

export class WhipClient extends Connection {
  constructor(endpoint: string, streamKey: string, media: MediaStream, settings: PublishSettings) {
    super({
      endpoint,
      bearer: streamKey,
      prepare: (pc) => addTracks(pc, media, settings),
      shapeOffer: (sdp) => sdp,
      negotiated: keepResolution,
      isFinal: (problem: ProblemError) => !RETRIED.has(problem.status),
    });
  }

  /** Swap the source of a kind without renegotiation; null sends silence or nothing. */
  async replaceTrack(kind: "audio" | "video", track: MediaStreamTrack | null): Promise<void> {
    const transceiver = this.peer?.getTransceivers().find((each) => each.receiver.track.kind === kind);
    await transceiver?.sender.replaceTrack(track);
  }
}

export function addTracks(pc: RTCPeerConnection, media: MediaStream, settings: PublishSettings): void {
  const [audio] = media.getAudioTracks();
  const [video] = media.getVideoTracks();
  if (audio !== undefined) {
    pc.addTransceiver(audio, {
      direction: "sendonly",
      streams: [media],
      sendEncodings: [{ maxBitrate: AUDIO_BITRATE }],
    });
  }
  if (video === undefined) return;
  const transceiver = pc.addTransceiver(video, {
    direction: "sendonly",
    streams: [media],
    sendEncodings: sendEncodings(settings.height, settings.frameRate, settings.simulcast),
  });
  const codecs = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
  const order = codecOrder(codecs, settings.codec);
  if (order !== null) transceiver.setCodecPreferences(order);
}

/** Browsers may halve the picture mid-stream to keep the frame rate; viewers and recordings want it constant. */
export async function keepResolution(pc: RTCPeerConnection): Promise<void> {
  for (const sender of pc.getSenders()) {
    if (sender.track?.kind !== "video") continue;
    const parameters = sender.getParameters() as RTCRtpSendParameters & { degradationPreference?: string };
    parameters.degradationPreference = "maintain-resolution";
    await sender.setParameters(parameters);
  }
}
