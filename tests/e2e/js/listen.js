// Loudness in dB at each frequency, of all audio tracks of a connection together; {} while it has none.
async ({ pc, frequencies }) => {
  const connection = pc === "stage" ? window.__spillway?.stage?.subscriber : window.__spillway?.pc;
  const tracks = (connection?.getReceivers() ?? [])
    .map((each) => each.track)
    .filter((track) => track.kind === "audio" && track.readyState === "live");
  if (tracks.length === 0) return {};
  // No sound card is kept waiting for what nobody listens to.
  const context = (window.listening ??= new AudioContext({ sampleRate: 48000, sinkId: { type: "none" } }));
  await context.resume();
  const names = tracks.map((track) => track.id).join(" ");
  if (window.heard?.names !== names) {
    for (const source of window.heard?.sources ?? []) source.disconnect();
    const analyser = new AnalyserNode(context, { fftSize: 16384, smoothingTimeConstant: 0 });
    const sources = tracks.map((track) => context.createMediaStreamSource(new MediaStream([track])));
    for (const source of sources) source.connect(analyser);
    window.heard = { names, analyser, sources };
  }
  const { analyser } = window.heard;
  // A whole window of new sound: 341 ms.
  await new Promise((resolve) => setTimeout(resolve, 400));
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  const at = (frequency) => {
    const bin = Math.round((frequency * analyser.fftSize) / 48000);
    return Math.max(-200, ...bins.slice(bin - 2, bin + 3));
  };
  return Object.fromEntries(frequencies.map((frequency) => [frequency, at(frequency)]));
}
