/** What a host sends: simulcast encodings and the order of codecs. */

export type Height = 480 | 720 | 1080;
export type FrameRate = 30 | 60;
export type CodecChoice = "auto" | "h264" | "vp8";

/** Bits per second of the encodings h, m, l by capture height. 720p is the operating point the others are scaled from. */
const BITRATES: Record<Height, readonly [number, number, number]> = {
  480: [1_200_000, 500_000, 200_000],
  720: [2_500_000, 900_000, 300_000],
  1080: [4_500_000, 1_500_000, 500_000],
};

/**
 * `h` stands first: where the picture is too small for three encodings browsers drop the last of the list, and the
 * full picture is the one that must stay.
 */
export function sendEncodings(height: Height, frameRate: FrameRate, simulcast: boolean): RTCRtpEncodingParameters[] {
  const [h, m, l] = BITRATES[height];
  const full = { rid: "h", maxBitrate: h, scaleResolutionDownBy: 1, maxFramerate: frameRate };
  if (!simulcast) return [{ maxBitrate: h, maxFramerate: frameRate }];
  return [
    full,
    { rid: "m", maxBitrate: m, scaleResolutionDownBy: 2, maxFramerate: 30 },
    { rid: "l", maxBitrate: l, scaleResolutionDownBy: 4, maxFramerate: 30 },
  ];
}

export interface CodecLike {
  mimeType: string;
  sdpFmtpLine?: string;
}

const isVideo = (codec: CodecLike, name: string): boolean => codec.mimeType.toLowerCase() === `video/${name}`;

/** Whether the browser can encode a codec at all: Firefox has no H.264 without its plugin. */
export const offers = (codecs: readonly CodecLike[], choice: "h264" | "vp8"): boolean =>
  codecs.some((codec) => isVideo(codec, choice));

/** 0 is best: H.264 in packetization mode 1, baseline profile first, which every receiver decodes. */
function rank(codec: CodecLike): number {
  const fmtp = codec.sdpFmtpLine ?? "";
  return (fmtp.includes("packetization-mode=1") ? 0 : 2) + (/profile-level-id=42/i.test(fmtp) ? 0 : 1);
}

/**
 * The codecs in the order to offer. Null keeps the browser's own: it lacks what was asked for. The repair formats
 * (rtx, red, ulpfec) follow, as setCodecPreferences wants them named.
 */
export function codecOrder<Codec extends CodecLike>(codecs: readonly Codec[], choice: CodecChoice): Codec[] | null {
  const wanted = choice === "auto" ? (offers(codecs, "h264") ? "h264" : "vp8") : choice;
  if (!offers(codecs, wanted)) return null;
  const first = codecs.filter((codec) => isVideo(codec, wanted));
  if (wanted === "h264") first.sort((a, b) => rank(a) - rank(b));
  const repair = codecs.filter((codec) => /\/(rtx|red|ulpfec|flexfec-03)$/i.test(codec.mimeType));
  // An explicit choice offers nothing else; auto leaves VP8 as the way out.
  const fallback = choice === "auto" && wanted === "h264" ? codecs.filter((codec) => isVideo(codec, "vp8")) : [];
  return [...first, ...fallback, ...repair];
}
