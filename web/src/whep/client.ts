/** A WHEP viewer: receives one audio and one video track of a stream. */

import { ProblemError } from "../api/problem";
import { Connection } from "../rtc/connection";
import { withStereoOpus } from "../rtc/sdp";

export type EncodingRid = "h" | "m" | "l" | "auto";

const RETRIED = new Set([408, 425, 429, 500, 502, 504]);

/** 503 means "no seat" when it says where else the stream plays, and "come back later" otherwise. */
export const isFinalForViewer = (error: ProblemError): boolean =>
  error.status === 503 ? error.problem.manifest_url !== undefined : !RETRIED.has(error.status);

export class WhepClient extends Connection {
  /** `sound` false leaves the audio out: for previews. */
  constructor(endpoint: string, playbackToken: string | null, sound = true) {
    super({
      endpoint,
      bearer: playbackToken,
      prepare: (pc) => {
        if (sound) pc.addTransceiver("audio", { direction: "recvonly" });
        pc.addTransceiver("video", { direction: "recvonly" });
      },
      shapeOffer: withStereoOpus,
      isFinal: isFinalForViewer,
    });
  }

  /** Rejects with ProblemError when the server has no such encoding. */
  async selectEncoding(rid: EncodingRid): Promise<void> {
    await this.session?.selectEncoding(rid);
  }
}
