/** The other side of WHIP and WHEP for the mock server: sends a drawn picture and a tone, swallows what is published. */

import { io } from "socket.io-client";

import { applyIceFragment, iceFragment } from "../src/rtc/sdp";

const canvas = document.querySelector("canvas");
const draw = canvas?.getContext("2d");
if (!canvas || !draw) throw new Error("no canvas");

function frame(): void {
  if (!canvas || !draw) return;
  const now = performance.now() / 1000;
  const sky = draw.createLinearGradient(0, 0, 0, 720);
  sky.addColorStop(0, "#0d3b4a");
  sky.addColorStop(1, "#e9a56b");
  draw.fillStyle = sky;
  draw.fillRect(0, 0, 1280, 720);
  for (let row = 0; row < 6; row += 1) {
    draw.fillStyle = `rgb(8 ${44 + row * 10} ${58 + row * 8} / 72%)`;
    draw.beginPath();
    draw.moveTo(0, 720);
    for (let x = 0; x <= 1280; x += 16) {
      draw.lineTo(x, 400 + row * 52 + 22 * Math.sin(x / (90 + row * 20) + now * (0.6 + row * 0.2)));
    }
    draw.lineTo(1280, 720);
    draw.fill();
  }
  draw.fillStyle = "#fff";
  draw.font = "600 44px system-ui";
  draw.fillText(new Date().toISOString().slice(11, 23), 60, 100);
}

setInterval(frame, 33);

function source(): MediaStream {
  const stream = canvas?.captureStream(30) ?? new MediaStream();
  const context = new AudioContext();
  const tone = new OscillatorNode(context, { frequency: 220 });
  const sink = context.createMediaStreamDestination();
  tone.connect(new GainNode(context, { gain: 0.1 })).connect(sink);
  tone.start();
  return new MediaStream([...stream.getVideoTracks(), ...sink.stream.getAudioTracks()]);
}

const media = source();

interface Offer {
  session: string;
  publishing: boolean;
  sdp: string;
}

interface Restart {
  session: string;
  fragment: string;
}

type Ack = (body: string | null) => void;

const sessions = new Map<string, RTCPeerConnection>();

io("/peer", { transports: ["websocket"] })
  .on("offer", (offer: Offer, ack: Ack) => void answer(offer).then(ack))
  .on("restart", (request: Restart, ack: Ack) => void restart(request).then(ack))
  .on("close", ({ session }: { session: string }, ack: Ack) => {
    sessions.get(session)?.close();
    sessions.delete(session);
    ack(null);
  });

async function answer({ session, publishing, sdp }: Offer): Promise<string> {
  const pc = new RTCPeerConnection();
  sessions.set(session, pc);
  if (!publishing) for (const track of media.getTracks()) pc.addTrack(track, media);
  return accept(pc, sdp);
}

async function restart({ session, fragment }: Restart): Promise<string | null> {
  const pc = sessions.get(session);
  const offer = pc?.currentRemoteDescription;
  if (!pc || !offer) return null;
  const answer = await accept(pc, applyIceFragment(offer.sdp, fragment));
  const candidates = answer.split("\r\n").filter((line) => line.startsWith("a=candidate:"));
  return iceFragment(answer) + candidates.map((line) => `${line}\r\n`).join("");
}

async function accept(pc: RTCPeerConnection, sdp: string): Promise<string> {
  await pc.setRemoteDescription({ type: "offer", sdp });
  const gathered = new Promise<void>((resolve) => {
    pc.onicegatheringstatechange = () => {
      if (pc.iceGatheringState === "complete") resolve();
    };
  });
  await pc.setLocalDescription();
  await gathered;
  return pc.localDescription?.sdp ?? "";
}
