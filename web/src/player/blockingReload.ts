import type { LoaderConfig } from "hls.js";

/**
 * How long a blocking reload may take. The origin answers after 6 s at the latest.
 *
 * hls.js gives it 80 % of a segment (1.6 s), asks again without saying which part it waits for, is answered at once
 * that there is none, and looks again a second later: a source that was late by 1.6 s cost a second more.
 */
export const BLOCKED_MS = 8000;

/** The loader's configuration, with that time for a reload that names the part it waits for. */
export function patient<T extends { loadPolicy: LoaderConfig }>(
  context: { deliveryDirectives: { part?: number | undefined } | null },
  configuration: T,
): T {
  if (context.deliveryDirectives?.part === undefined) return configuration;
  const loadPolicy = { ...configuration.loadPolicy, maxTimeToFirstByteMs: BLOCKED_MS, maxLoadTimeMs: BLOCKED_MS };
  return { ...configuration, loadPolicy };
}
