/** The mock server's streams. */

import { randomUUID } from "node:crypto";

import type { CreatedStream, Playback, Stream, StreamPage } from "../src/api/types";

export type Scenario = "full" | "empty" | "error";

const TITLES: readonly (readonly [string, string, string, number])[] = [
  ["Building a modular synth from scratch, part 7: the filter", "mara", "music", 1284],
  ["Sunrise over the harbour", "pilot station", "outdoors", 611],
  ["Speedrun practice, road to sub 20", "kestrel", "games", 402],
  ["Reading the paper: congestion control for real-time media", "ines", "talks", 187],
  ["Late-night lo-fi piano", "oto", "music", 96],
  ["Bread. Just bread.", "hazel & tom", "cooking", 54],
  ["Chess: I play every opening once", "rook", "games", 31],
  ["Drawing the neighbours' cats", "lin", "art", 9],
  ["Test of the new camera", "ada", "general", 1],
];

const PAGE = 6;

export class Catalogue {
  scenario: Scenario = "full";
  private readonly streams = new Map<string, Stream>();
  private readonly keys = new Map<string, string>();

  constructor() {
    for (const [index, [title, name, category, total]] of TITLES.entries()) {
      this.add({ title, category, broadcaster_name: name, status: "live" }, `s${index + 1}`, total);
    }
    this.add({ title: "Thursday workshop", category: "talks", visibility: "private" }, "mine1", 0);
    this.add({ title: "Evening concert", category: "music", status: "ended" }, "mine2", 0);
  }

  find(id: string): Stream | undefined {
    return this.streams.get(id);
  }

  discover(category: string | null, cursor: string | null): StreamPage {
    if (this.scenario === "empty") return { streams: [], next_cursor: null };
    const all = [...this.streams.values()].filter(
      (each) => each.status === "live" && (category === null || each.category === category),
    );
    const from = Number(cursor ?? 0);
    const next = from + PAGE;
    return { streams: all.slice(from, next), next_cursor: next < all.length ? String(next) : null };
  }

  own(): Stream[] {
    return [...this.streams.values()].filter((each) => each.broadcaster_id === "a1").reverse();
  }

  create(draft: Partial<Stream>, origin: string): CreatedStream {
    const stream = this.add(draft, randomUUID().slice(0, 8), 0);
    const key = this.rotate(stream.stream_id);
    return {
      ...stream,
      stream_key: key,
      whip_url: `${origin}/whip`,
      whep_url: `${origin}/whep/${stream.stream_id}`,
      ingest_url: `rtmp://127.0.0.1/live/${key}`,
      backup_ingest_url: null,
      srt_url: `srt://127.0.0.1:8890?streamid=publish:${key}`,
      manifest_url: `${origin}/api/v1/streams/${stream.stream_id}/manifest.m3u8`,
      watch_url: `${origin}/watch/${stream.stream_id}`,
    };
  }

  update(id: string, change: Partial<Stream>): Stream | undefined {
    const stream = this.streams.get(id);
    return stream && Object.assign(stream, change);
  }

  remove(id: string): void {
    this.streams.delete(id);
  }

  rotate(id: string): string {
    const key = `live_${randomUUID().replaceAll("-", "")}`;
    this.keys.set(key, id);
    return key;
  }

  goLive(key: string): string | null {
    const id = this.keys.get(key);
    if (id === undefined) return null;
    this.update(id, { status: "live", started_at: new Date().toISOString(), viewers: { total: 3, webrtc: 3, hls: 0 } });
    return id;
  }

  playback(id: string): Playback {
    const live = this.streams.get(id)?.status === "live";
    return {
      mode: live ? "webrtc" : "offline",
      whep_url: `/whep/${id}`,
      manifest_url: `/api/v1/streams/${id}/manifest.m3u8`,
      reason: live ? "seat" : "offline",
    };
  }

  private add(draft: Partial<Stream>, id: string, total: number): Stream {
    const live = draft.status === "live";
    const stream: Stream = {
      stream_id: id,
      broadcaster_id: live ? "other" : "a1",
      title: "",
      category: "general",
      status: "created",
      started_at: live ? new Date(Date.now() - 4_000_000).toISOString() : null,
      ended_at: null,
      viewers: { total, webrtc: total, hls: 0 },
      thumbnail_url: null,
      visibility: "public",
      ...draft,
    };
    this.streams.set(id, stream);
    return stream;
  }
}
