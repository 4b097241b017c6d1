/** JSON shapes of the HTTP and Socket.IO interface. Times are RFC 3339 UTC strings. */

export type StreamStatus = "created" | "scheduled" | "live" | "ended";
export type Visibility = "public" | "unlisted" | "private";

export interface Viewers {
  total: number;
  webrtc: number;
  hls: number;
}

export interface Stream {
  stream_id: string;
  broadcaster_id: string;
  /** Shown on cards and the watch page where the server gives it. */
  broadcaster_name?: string | null;
  title: string;
  category: string;
  status: StreamStatus;
  started_at: string | null;
  ended_at: string | null;
  viewers: Viewers;
  thumbnail_url: string | null;
  visibility: Visibility;
}

/** URLs an encoder needs. Null: that listener doesn't run on this node. */
export interface IngestUrls {
  whip_url: string;
  ingest_url: string | null;
  backup_ingest_url?: string | null;
  srt_url: string | null;
}

/** The answer to creating a stream: the only time that its key is told, rotation aside. */
export interface CreatedStream extends IngestUrls {
  stream_id: string;
  stream_key: string;
  whep_url: string;
  manifest_url: string;
  watch_url: string;
}

export interface RotatedKey extends Partial<IngestUrls> {
  stream_key: string;
}

export interface StreamPage {
  streams: Stream[];
  next_cursor: string | null;
}

export type PlaybackMode = "webrtc" | "hls" | "offline";

export interface Playback {
  mode: PlaybackMode;
  whep_url: string | null;
  manifest_url: string | null;
  /** The window to seek in; null: there is none. Absent: look beside the manifest. */
  dvr_url?: string | null;
  reason: "seat" | "full" | "offline";
}

export interface Thumbnail {
  at: string;
  url: string;
}

/** One broadcast that was, or is being, recorded. */
export interface Recording {
  recording_id: string;
  /** "paused": it is live, but the server can't write at present. */
  status: "recording" | "paused" | "ended";
  started_at: string;
  duration_s: number;
  bytes: number;
  /** Of `duration_s`: what could not be kept and is a gap. */
  missing_s: number;
  manifest_url: string;
  mp4_url: string;
  thumbnail_url: string | null;
  thumbnails: Thumbnail[];
  /** Null while it goes on, or where it is kept for good. */
  expires_at: string | null;
}

export interface Account {
  account_id: string;
  name: string;
  token: string;
}

export interface Notice {
  type: string;
  text: string;
}

export type TrackSource = "camera" | "microphone" | "screen" | "screen-audio";

export interface HostTrack {
  track_id: string;
  kind: "audio" | "video";
  source: TrackSource;
  flowing: boolean;
}

export interface StageParticipant {
  participant_id: string;
  name: string;
  role: "owner" | "co-host";
  audio: { muted: boolean; gain_db: number };
  video: { muted: boolean };
  tracks: HostTrack[];
  speaking: boolean;
}

export const LAYOUTS = ["grid", "spotlight", "side-by-side", "picture-in-picture", "custom"] as const;
export type LayoutName = (typeof LAYOUTS)[number];

/** Lengths are fractions of the picture; a radius of 1 makes a half circle of the shorter side. */
export interface LayoutTile {
  participant_id: string;
  source: "camera" | "screen";
  x: number;
  y: number;
  w: number;
  h: number;
  z: number;
  fit: "cover" | "contain";
  radius: number;
}

export interface StageLayout {
  layout: LayoutName;
  pinned?: string;
  /** Of "custom" alone. */
  tiles?: LayoutTile[];
  /** "#rrggbb" or an asset's id. */
  background?: string;
  logo?: string;
  lower_third?: { text: string };
}

/** An uploaded image, for layouts to name. */
export interface Asset {
  asset_id: string;
  width: number;
  height: number;
  size: number;
  created_at: string;
}

export interface StageView {
  participants: StageParticipant[];
  layout: StageLayout;
  /** Where the program has the hosts who send, whatever the layout is called; back to front. */
  tiles: LayoutTile[];
}

export interface Invite {
  invite: string;
  expires_at: string;
  studio_url: string;
  whip_url: string | null;
}
