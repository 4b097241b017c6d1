// Reads the latency pattern from a <video> that plays HLS, and what happens around it.

/**
 * Every frame that is presented: [Unix time in ms, latency in ms or null where the CRC does not fit, seconds
 * buffered ahead of it]. A wait is a `waiting` event after the first `playing`: [Unix time in ms, seconds
 * buffered ahead].
 */
export function followPattern(video) {
  const followed = { samples: [], waits: [], rates: [], playing: !video.paused && video.readyState > 2 };
  const ahead = () => {
    const { buffered, currentTime } = video;
    return buffered.length ? buffered.end(buffered.length - 1) - currentTime : 0;
  };
  const look = () => {
    const now = Date.now();
    const result = window.readPattern(video, now);
    followed.samples.push([now, result.ok ? result.latency_ms : null, ahead()]);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  video.addEventListener("playing", () => (followed.playing = true));
  video.addEventListener("waiting", () => followed.playing && followed.waits.push([Date.now(), ahead()]));
  video.addEventListener("ratechange", () => followed.rates.push([Date.now(), video.playbackRate]));
  window.followed = followed;
}
