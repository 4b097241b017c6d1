/** Calls of the REST interface. Each rejects with ProblemError, or TypeError when nobody answered. */

import { problemFrom } from "./problem";
import type {
  Account,
  Asset,
  CreatedStream,
  Invite,
  Playback,
  Recording,
  RotatedKey,
  StageLayout,
  StageParticipant,
  Stream,
  StreamPage,
  Visibility,
} from "./types";

const BASE = "/api/v1";

interface Call {
  method?: "GET" | "POST" | "PATCH" | "DELETE" | "PUT";
  token?: string | null;
  body?: unknown;
  /** Sent as it is, in place of a JSON body. */
  file?: Blob;
  signal?: AbortSignal | undefined;
  keepalive?: boolean;
}

async function call(path: string, { method = "GET", token, body, file, signal, keepalive = false }: Call): Promise<Response> {
  const headers = new Headers({ Accept: "application/json" });
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (body !== undefined) headers.set("Content-Type", "application/json");
  const response = await fetch(BASE + path, {
    method,
    headers,
    keepalive,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(file === undefined ? {} : { body: file }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (!response.ok) throw await problemFrom(response);
  return response;
}

/** The server is ours and its answers are checked there against the same models as the OpenAPI document. */
async function json<T>(path: string, options: Call = {}): Promise<T> {
  return (await (await call(path, options)).json()) as T;
}

const at = (streamId: string): string => `/streams/${encodeURIComponent(streamId)}`;

export interface StreamDraft {
  title: string;
  category: string;
  visibility: Visibility;
  record?: boolean;
}

export const createAccount = (name: string, password: string): Promise<Account> =>
  json("/accounts", { method: "POST", body: { name, password } });

export const createToken = (name: string, password: string): Promise<{ token: string; expires_at: string }> =>
  json("/tokens", { method: "POST", body: { name, password } });

export async function endToken(token: string): Promise<void> {
  await call("/tokens", { method: "DELETE", token });
}

export const createStream = (token: string, draft: StreamDraft): Promise<CreatedStream> =>
  json("/streams", { method: "POST", token, body: draft });

export const getStream = (streamId: string, token: string | null, signal?: AbortSignal): Promise<Stream> =>
  json(at(streamId), { token, signal });

export const updateStream = (
  token: string,
  streamId: string,
  change: Partial<StreamDraft>,
): Promise<Stream> => json(at(streamId), { method: "PATCH", token, body: change });

export async function deleteStream(token: string, streamId: string): Promise<void> {
  await call(at(streamId), { method: "DELETE", token });
}

export const rotateKey = (token: string, streamId: string): Promise<RotatedKey> =>
  json(`${at(streamId)}/key`, { method: "POST", token });

export interface PlaybackToken {
  token: string;
  expires_at: string;
  watch_url: string;
}

export const createPlaybackToken = (token: string, streamId: string, ttlS: number): Promise<PlaybackToken> =>
  json(`${at(streamId)}/playback-tokens`, { method: "POST", token, body: { ttl_s: ttlS } });

export const getPlayback = (streamId: string, token: string | null, signal?: AbortSignal): Promise<Playback> =>
  json(`${at(streamId)}/playback`, { token, signal });

export async function listRecordings(
  streamId: string,
  token: string | null,
  signal?: AbortSignal,
): Promise<Recording[]> {
  return (await json<{ recordings: Recording[] }>(`${at(streamId)}/recordings`, { token, signal })).recordings;
}

/** `keepalive`: it goes out though the page is being closed. */
export async function sendBeacon(
  streamId: string,
  token: string | null,
  body: { session_id: string; leaving: boolean },
): Promise<void> {
  await call(`${at(streamId)}/beacon`, { method: "POST", token, body, keepalive: true });
}

export interface DiscoverQuery {
  category?: string | null;
  cursor?: string | null;
  limit?: number;
}

export function discover(
  { category, cursor, limit = 20 }: DiscoverQuery,
  signal?: AbortSignal,
): Promise<StreamPage> {
  const query = new URLSearchParams({ sort: "viewers", limit: String(limit) });
  if (category) query.set("category", category);
  if (cursor) query.set("cursor", cursor);
  return json(`/streams/discover?${query}`, { signal });
}

export function listOwnStreams(
  token: string,
  cursor: string | null,
  signal?: AbortSignal,
): Promise<StreamPage> {
  const query = new URLSearchParams({ owner: "me", limit: "50" });
  if (cursor) query.set("cursor", cursor);
  return json(`/streams?${query}`, { token, signal });
}

export const createInvite = (token: string, streamId: string): Promise<Invite> =>
  json(`${at(streamId)}/invites`, { method: "POST", token, body: {} });

export const setLayout = (token: string, streamId: string, layout: StageLayout): Promise<StageLayout> =>
  json(`${at(streamId)}/layout`, { method: "PUT", token, body: layout });

export async function listAssets(token: string, streamId: string): Promise<Asset[]> {
  return (await json<{ assets: Asset[] }>(`${at(streamId)}/assets`, { token })).assets;
}

export const uploadAsset = (token: string, streamId: string, file: Blob): Promise<Asset> =>
  json(`${at(streamId)}/assets`, { method: "POST", token, file });

const asset = (streamId: string, assetId: string): string => `${at(streamId)}/assets/${encodeURIComponent(assetId)}`;

export const getAsset = async (token: string, streamId: string, assetId: string): Promise<Blob> =>
  (await call(asset(streamId, assetId), { token })).blob();

export async function deleteAsset(token: string, streamId: string, assetId: string): Promise<void> {
  await call(asset(streamId, assetId), { method: "DELETE", token });
}

export interface HostChange {
  audio?: { muted?: boolean; gain_db?: number };
  video?: { muted?: boolean };
}

const host = (streamId: string, participantId: string): string =>
  `${at(streamId)}/stage/${encodeURIComponent(participantId)}`;

export const changeHost = (
  token: string,
  streamId: string,
  participantId: string,
  change: HostChange,
): Promise<StageParticipant> => json(host(streamId, participantId), { method: "PATCH", token, body: change });

export async function removeHost(token: string, streamId: string, participantId: string): Promise<void> {
  await call(host(streamId, participantId), { method: "DELETE", token });
}
