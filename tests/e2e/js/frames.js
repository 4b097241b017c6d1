// Notes the RTP time of every picture that the page's <video> shows, from now on, in `window.shown`.
() => {
  const video = document.querySelector("video");
  window.shown = [];
  const note = (_, { rtpTimestamp }) => {
    // A picture may be presented twice.
    if (rtpTimestamp !== undefined && rtpTimestamp !== window.shown.at(-1)) window.shown.push(rtpTimestamp);
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
}
