// Reads the latency pattern of signaling/demo/pattern.py from a <video>, <canvas> or VideoFrame.

const COLUMNS = 16;
const ROWS = 3;
const WIDTH = 160;
const HEIGHT = 24;
const BLOCK_W = WIDTH / COLUMNS;
const BLOCK_H = HEIGHT / ROWS;
// The middle 40 % of a block of 10 x 8 pixels.
const [LEFT, RIGHT] = [3, 7];
const [TOP, BOTTOM] = [2, 6];
const THRESHOLD = 126;
const NOTHING = { ok: false, sent_ms: 0, frame: 0, latency_ms: 0 };

const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
const context = canvas.getContext("2d", { willReadFrequently: true });

/** CRC-8, polynomial 0x07, initial value 0xFF. */
export function crc8(bytes) {
  let crc = 0xff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x80 ? 0x07 : 0)) & 0xff;
  }
  return crc;
}

/**
 * @param source what to read; its top quarter is drawn into 160 x 24 pixels, never the whole picture
 * @param nowMs Unix time in ms to measure against
 * @param region [x, y, width, height] of the picture in question inside of `source`, in fractions of it
 * @returns {{ok: boolean, sent_ms: number, frame: number, latency_ms: number}} `ok` is false where the
 *   CRC does not fit or there is no picture yet: the other fields are then meaningless
 */
export function readPattern(source, nowMs = Date.now(), region = [0, 0, 1, 1]) {
  const width = source.videoWidth ?? source.displayWidth ?? source.width;
  const height = source.videoHeight ?? source.displayHeight ?? source.height;
  if (!width || !height) return NOTHING;
  const [x, y, w, h] = region;
  context.drawImage(source, x * width, y * height, w * width, (h * height) / 4, 0, 0, WIDTH, HEIGHT);
  const { data } = context.getImageData(0, 0, WIDTH, HEIGHT);
  // Green alone: the pattern has no colour.
  return decoded((column, row) => data[(row * WIDTH + column) * 4 + 1], nowMs);
}

/**
 * The same from the luma plane of a picture: no drawing, no conversion to RGB.
 *
 * @param luma {data, stride, width, height}: 8 bits a pixel, limited range
 */
export function readLuma(luma, nowMs, [x, y, w, h]) {
  const [left, top] = [x * luma.width, y * luma.height];
  const [across, down] = [(w * luma.width) / WIDTH, (h * luma.height) / 4 / HEIGHT];
  const at = (column, row) =>
    luma.data[Math.floor(top + (row + 0.5) * down) * luma.stride + Math.floor(left + (column + 0.5) * across)];
  return decoded(at, nowMs);
}

/** `at(column, row)`: brightness of a pixel of 160 x 24. */
function decoded(at, nowMs) {
  const bytes = [0, 0, 0, 0, 0, 0];
  for (let block = 0; block < ROWS * COLUMNS; block += 1) {
    const x = (block % COLUMNS) * BLOCK_W;
    const y = Math.floor(block / COLUMNS) * BLOCK_H;
    let sum = 0;
    for (let row = y + TOP; row < y + BOTTOM; row += 1) {
      for (let column = x + LEFT; column < x + RIGHT; column += 1) sum += at(column, row);
    }
    const white = sum / ((RIGHT - LEFT) * (BOTTOM - TOP)) > THRESHOLD;
    bytes[block >> 3] = (bytes[block >> 3] << 1) | (white ? 1 : 0);
  }
  if (crc8(bytes.slice(0, 5)) !== bytes[5]) return NOTHING;
  const sent = ((bytes[0] << 24) | (bytes[1] << 16) | (bytes[2] << 8) | bytes[3]) >>> 0;
  // The 32-bit difference, signed: right across the wrap, and small negative values stay small.
  const latency = ((nowMs % 2 ** 32) - sent) | 0;
  return { ok: true, sent_ms: sent, frame: bytes[4], latency_ms: latency };
}
