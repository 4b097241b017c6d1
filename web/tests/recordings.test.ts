import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";

import type { Recording } from "../src/api/types";
import { RecordingList } from "../src/pages/watch/RecordingList";
import { recordingNotes } from "../src/pages/watch/recordingNotes";

const WHOLE: Recording = {
  recording_id: "r1",
  status: "ended",
  started_at: "2026-11-20T18:00:00Z",
  duration_s: 3675.2,
  bytes: 1,
  missing_s: 0,
  manifest_url: "/m",
  mp4_url: "/v",
  thumbnail_url: null,
  thumbnails: [],
  expires_at: null,
};

describe("notes of a recording", () => {
  it.each([
    ["ended", 0, []],
    ["recording", 0, ["still recording"]],
    ["paused", 3.2, ["recording is paused", "4 s missing"]],
    ["ended", 0.4, ["1 s missing"]],
    ["ended", 59.5, ["1:00 min missing"]],
    ["ended", 75, ["1:15 min missing"]],
  ] as const)("%s, %d s missing", (status, missing, notes) => {
    expect(recordingNotes({ status, missing_s: missing })).toEqual(notes);
  });
});

describe("the list of recordings", () => {
  const text = (...recordings: Recording[]): string =>
    renderToStaticMarkup(createElement(RecordingList, { recordings, onReplay: () => undefined }));

  it("says what a recording lacks", () => {
    const shown = text(WHOLE, { ...WHOLE, recording_id: "r2", status: "paused", missing_s: 12 });
    expect(shown.match(/recording-note/g)).toHaveLength(2);
    expect(shown).toContain("recording is paused");
    expect(shown).toContain("12 s missing");
    expect(shown).toContain("1:01:15");
  });

  it("says nothing of whole ones", () => {
    expect(text(WHOLE)).not.toContain("recording-note");
  });
});
