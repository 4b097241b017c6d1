// Reads the latency pattern from a <video> that plays HLS, and what happens around it.

/**
 * Samples: every frame that is presented, as [Unix time in ms, latency in ms or null where the CRC does not fit,
 * seconds buffered ahead of it]. Waits: from each `waiting` event after the first `playing` to the next one, as
 * [Unix time in ms, how many ms].
 */
export function followPattern(video) {
  const followed = { samples: [], waits: [], rates: [], playing: !video.paused && video.readyState > 2 };
  let waiting = null;
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
  video.addEventListener("playing", () => {
    followed.playing = true;
    if (waiting !== null) waiting[1] = Date.now() - waiting[0];
    waiting = null;
  });
  video.addEventListener("waiting", () => {
    if (!followed.playing || waiting !== null) return;
    waiting = [Date.now(), Infinity];
    followed.waits.push(waiting);
  });
  video.addEventListener("ratechange", () => followed.rates.push([Date.now(), video.playbackRate]));
  window.followed = followed;
}
