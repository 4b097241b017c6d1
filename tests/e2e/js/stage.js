// Before the page's own scripts: a camera of one colour and a microphone with one tone.
((colour, frequency) => {
  localStorage.setItem(
    "spillway.studio",
    JSON.stringify({ height: 480, frameRate: 30, codec: "vp8", simulcast: false }),
  );
  navigator.mediaDevices.getUserMedia = async ({ video, audio }) => {
    const stream = new MediaStream();
    if (video) {
      const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
      const context = canvas.getContext("2d");
      let frame = 0;
      setInterval(() => {
        context.fillStyle = colour;
        context.fillRect(0, 0, 640, 360);
        context.fillStyle = "#808080";
        context.fillRect((frame++ * 7) % 640, 340, 10, 10);
      }, 50);
      stream.addTrack(canvas.captureStream(20).getVideoTracks()[0]);
    }
    if (audio) {
      const sound = new AudioContext();
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
