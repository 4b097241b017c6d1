import { describe, expect, it } from "vitest";

import { BLOCKED_MS, patient } from "../src/player/blockingReload";

const loadPolicy = { maxTimeToFirstByteMs: 1600, maxLoadTimeMs: 1600, timeoutRetry: null, errorRetry: null };
const given = { loadPolicy };

describe("a blocking reload", () => {
  it("may take as long as the origin waits", () => {
    const made = patient({ deliveryDirectives: { part: 5 } }, given);
    expect(made.loadPolicy.maxTimeToFirstByteMs).toBe(BLOCKED_MS);
    expect(made.loadPolicy.maxLoadTimeMs).toBe(BLOCKED_MS);
    expect(given.loadPolicy.maxLoadTimeMs).toBe(1600);
  });

  it("is one that names a part", () => {
    expect(patient({ deliveryDirectives: null }, given)).toBe(given);
    expect(patient({ deliveryDirectives: {} }, given)).toBe(given);
  });
});
