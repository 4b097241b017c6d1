// Loudness in dB at each frequency, of all audio tracks of a connection together.
async ({ pc, frequencies }) => {
  const connection = pc === "stage" ? window.__spillway?.stage?.subscriber : window.__spillway?.pc;
  if (!connection) return {};
  const tracks = connection
    .getReceivers()
    .map((each) => each.track)
    .filter((track) => track.kind === "audio" && track.readyState === "live");
  window.listening ??= new AudioContext({ sampleRate: 48000 });
  await window.listening.resume();
  const analyser = new AnalyserNode(window.listening, { fftSize: 16384, smoothingTimeConstant: 0 });
  const sources = tracks.map((track) => window.listening.createMediaStreamSource(new MediaStream([track])));
  for (const source of sources) source.connect(analyser);
  await new Promise((resolve) => setTimeout(resolve, 600));
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  for (const source of sources) source.disconnect();
  const at = (frequency) => {
    const bin = Math.round((frequency * analyser.fftSize) / 48000);
    return Math.max(-200, ...bins.slice(bin - 2, bin + 3));
  };
  return Object.fromEntries(frequencies.map((frequency) => [frequency, at(frequency)]));
}
