/**
 * A stream's key and the URLs that hold it. The server tells the key once, at creation and at rotation; it is kept for
 * this tab only.
 */

import { useSyncExternalStore } from "react";

import type { CreatedStream, IngestUrls, RotatedKey } from "../api/types";
import { Stored } from "./stored";

export interface StreamSecrets extends IngestUrls {
  stream_key: string;
}

const perStream = new Map<string, Stored<StreamSecrets>>();

function secretsOf(streamId: string): Stored<StreamSecrets> {
  const known = perStream.get(streamId);
  if (known !== undefined) return known;
  const stored = new Stored<StreamSecrets>(() => window.sessionStorage, `spillway.key.${streamId}`);
  perStream.set(streamId, stored);
  return stored;
}

export function useSecrets(streamId: string): StreamSecrets | null {
  const stored = secretsOf(streamId);
  return useSyncExternalStore(stored.subscribe, stored.get);
}

export function keepCreated(created: CreatedStream): void {
  const { stream_id, stream_key, whip_url, ingest_url, backup_ingest_url = null, srt_url } = created;
  secretsOf(stream_id).set({ stream_key, whip_url, ingest_url, backup_ingest_url, srt_url });
}

/** URLs that a rotation doesn't repeat are the old ones with the new key in them. */
export function afterRotation(
  old: StreamSecrets | null,
  rotated: RotatedKey,
  defaultWhipUrl: string,
): StreamSecrets {
  const renew = (url: string | null | undefined): string | null =>
    url == null || old === null ? null : url.replaceAll(old.stream_key, rotated.stream_key);
  return {
    stream_key: rotated.stream_key,
    whip_url: rotated.whip_url ?? renew(old?.whip_url) ?? defaultWhipUrl,
    ingest_url: rotated.ingest_url ?? renew(old?.ingest_url),
    backup_ingest_url: rotated.backup_ingest_url ?? renew(old?.backup_ingest_url),
    srt_url: rotated.srt_url ?? renew(old?.srt_url),
  };
}

export function keepRotated(streamId: string, rotated: RotatedKey): void {
  const stored = secretsOf(streamId);
  stored.set(afterRotation(stored.get(), rotated, `${window.location.origin}/whip`));
}

export const forget = (streamId: string): void => secretsOf(streamId).set(null);

/** OBS asks for an RTMP URL in two fields. */
export function splitRtmp(ingestUrl: string): { server: string; key: string } {
  const at = ingestUrl.lastIndexOf("/");
  return { server: ingestUrl.slice(0, at), key: ingestUrl.slice(at + 1) };
}
