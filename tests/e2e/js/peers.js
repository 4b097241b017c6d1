// A publisher of the latency pattern and a viewer that reads it, without the pages around them.

const [WIDTH, HEIGHT, RATE] = [1280, 720, 30];
const MAX_BITRATE = 2_500_000;
const [COLUMNS, ROWS] = [16, 3];

/** Noise that can't be predicted away: the encoder has real work below the pattern. */
function noise() {
  const canvas = new OffscreenCanvas(WIDTH / 4, HEIGHT / 4);
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < image.data.length; i += 4) {
    const grey = 96 + Math.floor(64 * Math.random());
    image.data.set([grey, grey, grey, 255], i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function drawPattern(context, frame) {
  const sent = Date.now() % 2 ** 32;
  const bytes = [sent >>> 24, (sent >>> 16) & 0xff, (sent >>> 8) & 0xff, sent & 0xff, frame & 0xff];
  bytes.push(window.crc8(bytes));
  const [width, height] = [WIDTH / COLUMNS, HEIGHT / 4 / ROWS];
  for (let block = 0; block < ROWS * COLUMNS; block += 1) {
    context.fillStyle = bytes[block >> 3] & (0x80 >> (block & 7)) ? "white" : "black";
    context.fillRect((block % COLUMNS) * width, Math.floor(block / COLUMNS) * height, width, height);
  }
}

function patternTrack() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [WIDTH, HEIGHT];
  document.body.append(canvas);
  const context = canvas.getContext("2d", { alpha: false });
  const [track] = canvas.captureStream(0).getVideoTracks();
  const [texture, rows] = [noise(), HEIGHT / 4];
  let frame = 0;
  setInterval(() => {
    frame += 1;
    const shift = (frame * 3) % (WIDTH / 4);
    context.drawImage(texture, shift * 4 - WIDTH, rows, WIDTH, HEIGHT - rows);
    context.drawImage(texture, shift * 4, rows, WIDTH, HEIGHT - rows);
    drawPattern(context, frame);
    track.requestFrame();
  }, 1000 / RATE);
  return track;
}

async function exchange(pc, url, bearer) {
  await pc.setLocalDescription();
  const headers = { "Content-Type": "application/sdp" };
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  const postedAt = performance.now();
  const response = await fetch(url, { method: "POST", headers, body: pc.localDescription.sdp });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  await pc.setRemoteDescription({ type: "answer", sdp: await response.text() });
  return { postedAt, location: new URL(response.headers.get("Location"), url).href };
}

/** Publishes the pattern and, with `sound`, the microphone; resolves when connected. `codec`: "H264" or "VP8". */
export async function publishPattern(url, key, codec, sound) {
  const pc = new RTCPeerConnection();
  if (sound) {
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    pc.addTransceiver(microphone.getAudioTracks()[0], { direction: "sendonly" });
  }
  const track = patternTrack();
  track.contentHint = "motion";
  const transceiver = pc.addTransceiver(track, {
    direction: "sendonly",
    sendEncodings: [{ maxBitrate: MAX_BITRATE, maxFramerate: RATE }],
  });
  const { codecs } = RTCRtpSender.getCapabilities("video");
  const wanted = codecs.filter((each) => each.mimeType === `video/${codec}`);
  transceiver.setCodecPreferences([...wanted, ...codecs.filter((each) => each.mimeType === "video/rtx")]);
  const connected = new Promise((resolve) => {
    pc.onconnectionstatechange = () => pc.connectionState === "connected" && resolve();
  });
  await exchange(pc, url, key);
  const parameters = transceiver.sender.getParameters();
  parameters.degradationPreference = "maintain-resolution";
  await transceiver.sender.setParameters(parameters);
  await connected;
  window.published = pc;
}

/**
 * Watches `url` and reads each frame's pattern into `samples`: [Unix time in ms, latency in ms, or null where the
 * CRC does not fit]. `reader`: "decoded" takes frames from the decoder's output (MediaStreamTrackProcessor),
 * "shown" from the <video> when it presents them.
 * Resolves at the first frame with {first_frame_ms: since the POST, signalling_ms: of the POST, location}.
 */
export async function watchPattern(url, reader) {
  const pc = new RTCPeerConnection();
  const viewer = { pc, samples: [] };
  window.viewers = [...(window.viewers ?? []), viewer];
  let firstAt;
  const first = new Promise((resolve) => (firstAt = resolve));
  const take = (source) => {
    const result = window.readPattern(source);
    firstAt(performance.now());
    viewer.samples.push([Date.now(), result.ok ? result.latency_ms : null]);
  };
  pc.addTransceiver("audio", { direction: "recvonly" });
  pc.addTransceiver("video", { direction: "recvonly" });
  const video = document.createElement("video");
  video.muted = true;
  document.body.append(video);
  pc.ontrack = ({ track, streams }) => {
    // Sound is in the same stream: lip sync costs what it costs a real viewer.
    if (video.srcObject === null) {
      video.srcObject = streams[0];
      void video.play();
    }
    if (track.kind !== "video") return;
    if (reader === "shown") {
      const next = () => {
        take(video);
        video.requestVideoFrameCallback(next);
      };
      video.requestVideoFrameCallback(next);
    } else void readDecoded(track, take);
  };
  const { postedAt, location } = await exchange(pc, url, null);
  const answeredAt = performance.now();
  viewer.location = location;
  const at = await first;
  return { first_frame_ms: at - postedAt, signalling_ms: answeredAt - postedAt, location };
}

async function readDecoded(track, take) {
  const frames = new MediaStreamTrackProcessor({ track }).readable.getReader();
  for (;;) {
    const { value, done } = await frames.read();
    if (done) return;
    take(value);
    value.close();
  }
}

/**
 * Where a connection's pictures spend their time, ms per picture (per packet for `pace`, per 10 ms of sound for
 * `soundBuffer`), summed from its beginning: take two and let `between` divide. W3C webrtc-stats.
 */
export async function times(pc) {
  const sums = {};
  const add = (name, seconds, count) => {
    if (count) sums[name] = [1000 * seconds, count];
  };
  for (const each of (await pc.getStats()).values()) {
    if (each.type === "outbound-rtp" && each.kind === "video") {
      add("encode", each.totalEncodeTime, each.framesEncoded);
      add("pace", each.totalPacketSendDelay, each.packetsSent);
    }
    if (each.type !== "inbound-rtp") continue;
    if (each.kind === "video") {
      add("assembly", each.totalAssemblyTime, each.framesAssembledFromMultiplePackets);
      add("buffer", each.jitterBufferDelay, each.jitterBufferEmittedCount);
      add("decode", each.totalDecodeTime, each.framesDecoded);
    } else add("soundBuffer", each.jitterBufferDelay, each.jitterBufferEmittedCount);
  }
  return sums;
}

/** Ends the viewer that joined last. */
export async function leave() {
  const { pc, location } = window.viewers.pop();
  pc.close();
  await fetch(location, { method: "DELETE" });
}
