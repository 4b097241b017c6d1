// A viewer of a mixed program for the benchmarks: reads each host's latency pattern and flash out of its tile,
// and hears the beeps.

/** Where the flash stands in the demo's picture, in fractions of it (signaling/demo/picture.py). */
const [FLASH_X, FLASH_Y] = [0.93, 0.342];
/** Levelled by the mixer, the beep peaks at about 0.8 and the chord under it at 0.2. */
const BEEP = 0.35;
/** Longer than a beep, shorter than the second between two. */
const QUIET_MS = 400;

/** [x, y, w, h] of tiles in fractions of the program, to be read in every picture. */
window.regions = [];
/** Per picture: at (Unix ms), rtp_us (its own time), latency per region (null: no pattern there), flash per region. */
window.pictures = [];
/** When each beep was given out: ms of the sound's own clock; `soundClock` added, Unix ms. */
window.beeps = [];
/** A block or picture waits until this page reads it. Its own time stamp is that of giving it out, so the
    shortest time to the reading of any tells how the stamps' clock runs against Unix time. */
window.soundClock = Infinity;
window.pictureClock = Infinity;

/** The luma plane of a decoded picture: a copy costs a tenth of a millisecond, drawing it tens. */
let buffer = new Uint8Array(0);
async function lumaOf(frame) {
  if (!["I420", "I420A", "NV12"].includes(frame.format)) throw new Error(`pictures in ${frame.format}`);
  if (buffer.length < frame.allocationSize()) buffer = new Uint8Array(frame.allocationSize());
  const [{ offset, stride }] = await frame.copyTo(buffer);
  const { width, height } = frame.visibleRect;
  return { data: buffer.subarray(offset), stride, width, height };
}

/** From 0 to 255. */
function brightness({ data, stride, width, height }, [x, y, w, h]) {
  const [left, top] = [Math.floor((x + w * FLASH_X) * width), Math.floor((y + h * FLASH_Y) * height)];
  let sum = 0;
  for (let row = top; row < top + 8; row += 1) {
    for (let column = left; column < left + 8; column += 1) sum += data[row * stride + column];
  }
  return ((sum / 64 - 16) * 255) / 219;
}

async function look(track) {
  const frames = new MediaStreamTrackProcessor({ track, maxBufferSize: 30 }).readable.getReader();
  for (;;) {
    const { value, done } = await frames.read();
    if (done) return;
    const at = Date.now();
    window.pictureClock = Math.min(window.pictureClock, at - value.timestamp / 1000);
    const luma = await lumaOf(value);
    const latency = window.regions.map((region) => {
      const read = window.readLuma(luma, at, region);
      return read.ok ? read.latency_ms : null;
    });
    const flash = window.regions.map((region) => brightness(luma, region));
    window.pictures.push({ at, rtp_us: value.timestamp, width: value.displayWidth, latency, flash });
    value.close();
  }
}

async function listen(track) {
  const blocks = new MediaStreamTrackProcessor({ track, maxBufferSize: 100 }).readable.getReader();
  let loudAt = -QUIET_MS;
  for (;;) {
    const { value, done } = await blocks.read();
    if (done) return;
    const given = value.timestamp / 1000;
    window.soundClock = Math.min(window.soundClock, Date.now() - given);
    const samples = new Float32Array(value.numberOfFrames);
    value.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
    const first = samples.findIndex((sample) => Math.abs(sample) > BEEP);
    if (first >= 0) {
      const heard = given + (first * 1000) / value.sampleRate;
      if (heard - loudAt > QUIET_MS) window.beeps.push(heard);
      loudAt = heard;
    }
    value.close();
  }
}

/** Watches `url`; resolves when connected. */
export async function watchStage(url) {
  const pc = (window.pc = new RTCPeerConnection());
  pc.addTransceiver("audio", { direction: "recvonly" });
  pc.addTransceiver("video", { direction: "recvonly" });
  const video = document.createElement("video");
  video.autoplay = true;
  document.body.append(video);
  pc.ontrack = ({ track, streams }) => {
    // Both in one element, unmuted: the browser keeps lips in step with what is heard.
    video.srcObject ??= streams[0];
    void (track.kind === "video" ? look(track) : listen(track));
  };
  await pc.setLocalDescription();
  const headers = { "Content-Type": "application/sdp" };
  const answer = await fetch(url, { method: "POST", headers, body: pc.localDescription.sdp });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  await pc.setRemoteDescription({ type: "answer", sdp: await answer.text() });
}

/** What the connection has counted. */
export async function counted() {
  const entries = [...(await window.pc.getStats()).values()].filter((each) => each.type === "inbound-rtp");
  const video = entries.find((each) => each.kind === "video") ?? {};
  const audio = entries.find((each) => each.kind === "audio") ?? {};
  return {
    freezes: video.freezeCount ?? 0,
    dropped: video.framesDropped ?? 0,
    buffer_ms: (1000 * (video.jitterBufferDelay ?? 0)) / Math.max(1, video.jitterBufferEmittedCount ?? 0),
    emitted: video.jitterBufferEmittedCount ?? 0,
    decoded: video.framesDecoded ?? 0,
    decode_s: video.totalDecodeTime ?? 0,
    delay_s: video.jitterBufferDelay ?? 0,
    concealed: audio.concealedSamples ?? 0,
    heard: audio.totalSamplesReceived ?? 0,
  };
}
