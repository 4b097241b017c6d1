import { useEffect, useRef } from "react";

import { FLOOR_DB, levelDb, meterPosition } from "./level";

/** 21 ms at 48 kHz: shorter than a syllable. */
const WINDOW = 1024;
/** A peak falls by this much of the scale per frame, so that the eye can follow. */
const DECAY = 0.02;

export function LevelMeter({ stream }: { stream: MediaStream | null }) {
  const ref = useRef<HTMLDivElement>(null);
  const track = stream?.getAudioTracks()[0];

  useEffect(() => {
    const meter = ref.current;
    if (meter === null || track === undefined) return;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = WINDOW;
    const source = context.createMediaStreamSource(new MediaStream([track]));
    source.connect(analyser);
    // Suspended until the page was touched, in browsers that count capturing as no reason to start.
    const wake = (): void => void context.resume();
    window.addEventListener("pointerdown", wake);
    const samples = new Float32Array(WINDOW);
    let shown = 0;
    let frame = requestAnimationFrame(function draw() {
      frame = requestAnimationFrame(draw);
      analyser.getFloatTimeDomainData(samples);
      const db = levelDb(samples);
      shown = Math.max(meterPosition(db), shown - DECAY);
      meter.style.setProperty("--level", shown.toFixed(3));
      meter.setAttribute("aria-valuenow", db.toFixed(0));
    });
    return () => {
      cancelAnimationFrame(frame);
      window.removeEventListener("pointerdown", wake);
      meter.style.setProperty("--level", "0");
      void context.close();
    };
  }, [track]);

  return (
    <div
      ref={ref}
      className="level-meter"
      data-testid="level-meter"
      role="meter"
      aria-label="Sound level"
      aria-valuemin={FLOOR_DB}
      aria-valuemax={0}
      aria-valuenow={FLOOR_DB}
    />
  );
}
