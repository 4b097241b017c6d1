// Before the page's own scripts: a camera of one colour with a code of four blocks down its middle, and a
// microphone with one tone. Small and slow, as four pages share the machine.
((colour, code, frequency) => {
  const [WIDTH, HEIGHT, RATE] = [320, 180, 15];
  localStorage.setItem(
    "spillway.studio",
    JSON.stringify({ height: 480, frameRate: 30, codec: "vp8", simulcast: false }),
  );
  navigator.mediaDevices.getUserMedia = async ({ video, audio }) => {
    const stream = new MediaStream();
    if (video) {
      const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
      const context = canvas.getContext("2d", { alpha: false });
      let frame = 0;
      setInterval(() => {
        context.fillStyle = colour;
        context.fillRect(0, 0, WIDTH, HEIGHT);
        code.forEach((bit, row) => {
          context.fillStyle = bit ? "white" : "black";
          context.fillRect(0.46 * WIDTH, (0.125 + 0.15 * row) * HEIGHT, 0.08 * WIDTH, 0.15 * HEIGHT);
        });
        context.fillStyle = "#808080";
        context.fillRect((frame++ * 7) % WIDTH, HEIGHT - 6, 6, 6);
      }, 1000 / RATE);
      stream.addTrack(canvas.captureStream(RATE).getVideoTracks()[0]);
    }
    if (audio) {
      const sound = new AudioContext({ sinkId: { type: "none" } });
      const tone = new OscillatorNode(sound, { frequency });
      const volume = new GainNode(sound, { gain: 0.2 });
      const out = sound.createMediaStreamDestination();
      tone.connect(volume).connect(out);
      tone.start();
      stream.addTrack(out.stream.getAudioTracks()[0]);
    }
    return stream;
  };
})
