import { describe, expect, it } from "vitest";

import type { Playback, Stream } from "../src/api/types";
import { explain, ProblemError, toProblem } from "../src/api/problem";
import { matchRoute, studioPath, takeToken, watchPath } from "../src/app/routes";
import { afterRotation, splitRtmp } from "../src/app/streamSecrets";
import { matches, merge } from "../src/pages/discover/useDiscover";
import { FLOOR_DB, levelDb, meterPosition } from "../src/pages/studio/level";
import { explainCapture } from "../src/pages/studio/mediaErrors";
import { actionOf, type KeyPress } from "../src/pages/watch/shortcuts";
import { WINDOW_MAX_S, windowLengthS } from "../src/pages/watch/window";
import { countVariants, dvrUrl, rungLabel } from "../src/player/masterPlaylist";
import { bitrate, clock, count, hueOf, percent, plural, size } from "../src/ui/format";

describe("routes", () => {
  it("knows the pages", () => {
    expect(matchRoute("/")).toEqual({ page: "discover" });
    expect(matchRoute("/watch/abc")).toEqual({ page: "watch", streamId: "abc" });
    expect(matchRoute("/studio")).toEqual({ page: "studio", streamId: null });
    expect(matchRoute("/studio/abc/")).toEqual({ page: "studio", streamId: "abc" });
    expect(matchRoute("/dashboard")).toEqual({ page: "dashboard" });
  });

  it.each(["/watch", "/watch/a/b", "/dashboard/x", "/nowhere", "/watch/%E0%A4%A"])("has nothing at %s", (path) => {
    expect(matchRoute(path)).toEqual({ page: "unknown" });
  });

  it("writes paths that it reads again", () => {
    const id = "a/b c?#ü";
    expect(matchRoute(watchPath(id))).toEqual({ page: "watch", streamId: id });
    expect(matchRoute(studioPath(id))).toEqual({ page: "studio", streamId: id });
  });

  it("takes the token out of an address, and nothing else", () => {
    expect(takeToken("https://h/watch/s?x=1#playback_token=se%2Bcret&t=5")).toEqual({
      token: "se+cret",
      href: "https://h/watch/s?x=1#t=5",
    });
    for (const href of ["https://h/watch/s?x=1", "https://h/watch/s#main"]) {
      expect(takeToken(href)).toEqual({ token: null, href });
    }
  });
});

describe("problems", () => {
  it("shows the detail, else the title, else the status", () => {
    expect(explain(new ProblemError(toProblem({ title: "T", detail: "D", status: 409 }, 409)))).toBe("D");
    expect(explain(new ProblemError(toProblem({ title: "T" }, 409)))).toBe("T");
    expect(explain(new ProblemError(toProblem("<html>", 502)))).toBe("The server answered 502");
    const kept = { type: "/problems/private-stream", title: "A private stream", detail: "send a playback token" };
    expect(explain(new ProblemError(toProblem(kept, 403)))).toContain("link");
  });

  it("says so when nobody answered", () => {
    expect(explain(new TypeError("Failed to fetch"))).toContain("can't be reached");
  });
});

describe("stream secrets", () => {
  const old = {
    stream_key: "k1",
    whip_url: "https://h/whip",
    ingest_url: "rtmp://h:1935/live/k1",
    backup_ingest_url: null,
    srt_url: "srt://h:8890?streamid=publish:k1",
  };

  it("puts the new key into the old URLs", () => {
    expect(afterRotation(old, { stream_key: "k2" }, "https://x/whip")).toEqual({
      stream_key: "k2",
      whip_url: "https://h/whip",
      ingest_url: "rtmp://h:1935/live/k2",
      backup_ingest_url: null,
      srt_url: "srt://h:8890?streamid=publish:k2",
    });
  });

  it("knows only WHIP when it knew nothing, and takes what the server tells", () => {
    expect(afterRotation(null, { stream_key: "k2" }, "https://x/whip")).toMatchObject({
      whip_url: "https://x/whip",
      ingest_url: null,
      srt_url: null,
    });
    expect(afterRotation(null, { stream_key: "k2", srt_url: "srt://n" }, "w").srt_url).toBe("srt://n");
  });

  it("splits an RTMP URL as OBS asks for it", () => {
    expect(splitRtmp(old.ingest_url)).toEqual({ server: "rtmp://h:1935/live", key: "k1" });
  });
});

describe("discover", () => {
  const stream = (id: string, title: string, total = 0): Stream => ({
    stream_id: id,
    broadcaster_id: "b",
    title,
    category: "music",
    status: "live",
    started_at: null,
    ended_at: null,
    viewers: { total, webrtc: total, hls: 0 },
    thumbnail_url: null,
    visibility: "public",
  });

  it("merges pages without doubles, newest figures in place", () => {
    const merged = merge([stream("a", "A", 1), stream("b", "B", 1)], [stream("b", "B", 9), stream("c", "C")]);
    expect(merged.map((each) => [each.stream_id, each.viewers.total])).toEqual([
      ["a", 1],
      ["b", 9],
      ["c", 0],
    ]);
  });

  it("searches all words, without case or accents", () => {
    expect(matches(stream("a", "Café Zürich live"), "zurich MUSIC")).toBe(true);
    expect(matches(stream("a", "Café"), "cafe games")).toBe(false);
    expect(matches(stream("a", "Café"), "")).toBe(true);
  });
});

describe("shortcuts", () => {
  const press = (key: string, extra: Partial<KeyPress> = {}): KeyPress => ({
    key,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    targetTag: "BODY",
    targetEditable: false,
    ...extra,
  });

  it("maps keys, capitals too", () => {
    expect(["k", " ", "M", "f", "S", "ArrowUp", "ArrowDown", "?"].map((key) => actionOf(press(key)))).toEqual([
      "toggle",
      "toggle",
      "mute",
      "fullscreen",
      "stats",
      "louder",
      "quieter",
      "help",
    ]);
    expect(actionOf(press("x"))).toBeNull();
  });

  it("leaves the browser's keys, fields and focused buttons alone", () => {
    expect(actionOf(press("f", { ctrlKey: true }))).toBeNull();
    expect(actionOf(press("m", { targetTag: "INPUT" }))).toBeNull();
    expect(actionOf(press("m", { targetEditable: true }))).toBeNull();
    expect(actionOf(press(" ", { targetTag: "BUTTON" }))).toBeNull();
    expect(actionOf(press("m", { targetTag: "BUTTON" }))).toBe("mute");
  });
});

describe("the seek window", () => {
  const now = Date.parse("2026-01-02T12:00:00Z");
  it("reaches from the start, four hours at most", () => {
    expect(windowLengthS("2026-01-02T11:50:00Z", now)).toBe(600);
    expect(windowLengthS("2026-01-01T00:00:00Z", now)).toBe(WINDOW_MAX_S);
    expect(windowLengthS("2026-01-02T12:00:05Z", now)).toBe(0);
    expect(windowLengthS(null, now)).toBe(WINDOW_MAX_S);
  });

  it("lies beside the live manifest, token segment and query kept", () => {
    const beside = (manifest_url: string | null): Playback => ({ mode: "hls", whep_url: null, manifest_url, reason: "full" });
    expect(dvrUrl(beside("/api/v1/streams/s/manifest.m3u8"), "https://h/watch/s")).toBe(
      "https://h/api/v1/streams/s/dvr.m3u8",
    );
    expect(dvrUrl(beside("https://e/t/abc/manifest.m3u8?x=1"), "https://h/")).toBe("https://e/t/abc/dvr.m3u8?x=1");
    expect(dvrUrl(beside(null), "https://h/")).toBeNull();
    expect(dvrUrl({ ...beside("/m.m3u8"), dvr_url: "/d.m3u8" }, "https://h/")).toBe("/d.m3u8");
    expect(dvrUrl({ ...beside("/m.m3u8"), dvr_url: null }, "https://h/")).toBeNull();
  });
});

describe("master playlist", () => {
  it("counts variants", () => {
    const text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1\n#EXT-X-STREAM-INF:BANDWIDTH=2\nb\n";
    expect(countVariants(text)).toBe(2);
  });

  it("names rungs", () => {
    expect(rungLabel(720, 30, 1)).toBe("720p");
    expect(rungLabel(1080, 60, 1)).toBe("1080p60");
    expect(rungLabel(480, undefined, 1)).toBe("480p");
    expect(rungLabel(0, undefined, 128_000)).toBe("128 kb/s");
  });
});

describe("sound level", () => {
  it("is dB of full scale", () => {
    expect(levelDb(new Float32Array(64).fill(1))).toBe(0);
    expect(levelDb(new Float32Array(64).fill(0.1))).toBeCloseTo(-20, 4);
    expect(levelDb(new Float32Array(64))).toBe(FLOOR_DB);
    expect(levelDb([])).toBe(FLOOR_DB);
  });

  it("fills the meter from the floor to full scale", () => {
    expect([FLOOR_DB, -30, 0, 6].map(meterPosition)).toEqual([0, 0.5, 1, 1]);
  });
});

describe("capture errors", () => {
  it("says what to do", () => {
    expect(explainCapture("NotAllowedError", "camera", true)).toContain("left of the address");
    expect(explainCapture("NotAllowedError", "screen", true)).toContain("Share screen");
    expect(explainCapture("NotReadableError", "camera", true)).toContain("another program");
    expect(explainCapture("TypeError", "camera", false)).toContain("https");
    expect(explainCapture("OddError", "camera", true)).toContain("OddError");
  });
});

describe("format", () => {
  it("writes what people read", () => {
    expect([0, 999, 1284, 2_500_000].map(count)).toEqual(["0", "999", "1.3K", "2.5M"]);
    expect(plural(1, "viewer")).toBe("1 viewer");
    expect([0, 75, 3675, -3].map(clock)).toEqual(["0:00", "1:15", "1:01:15", "0:00"]);
    expect([300_000, 2_500_000].map(bitrate)).toEqual(["300 kb/s", "2.5 Mb/s"]);
    expect([0, 900, 42_000_000, 3.14e9].map(size)).toEqual(["0 kB", "1 kB", "42.0 MB", "3.1 GB"]);
    expect([0, 1 / 3].map(percent)).toEqual(["0 %", "33 %"]);
  });

  it("spreads ids that differ in their end over all colours", () => {
    const hues = Array.from({ length: 600 }, (_, i) => hueOf(`s${i}`));
    const sectors = Array.from({ length: 12 }, (_, i) => hues.filter((hue) => Math.floor(hue / 30) === i).length);
    expect(Math.min(...sectors)).toBeGreaterThan(25);
    expect(Math.max(...sectors)).toBeLessThan(75);
  });
});
