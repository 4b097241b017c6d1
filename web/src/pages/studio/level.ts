/** Loudness of samples. Pure. */

export const FLOOR_DB = -60;

/** Root mean square of samples in -1..1, in dB of full scale, not below the floor. */
export function levelDb(samples: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i += 1) sum += (samples[i] ?? 0) ** 2;
  const rms = samples.length === 0 ? 0 : Math.sqrt(sum / samples.length);
  return rms === 0 ? FLOOR_DB : Math.max(FLOOR_DB, 20 * Math.log10(rms));
}

/** A level's place on the meter, 0..1. */
export const meterPosition = (db: number): number => Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
