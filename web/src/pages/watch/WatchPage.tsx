import { useEffect, useState } from "react";

import { useSession } from "../../app/session";
import { takeToken } from "../../app/routes";
import { StatusBadge, ViewerCount } from "../../ui/Badges";
import { CopyButton } from "../../ui/CopyField";
import { PlayerSurface } from "./PlayerSurface";
import { useStream } from "./useStream";

/** Read from the address, then taken out of the address bar: links get copied, tokens must not. */
function readToken(): string | null {
  const { token, href } = takeToken(window.location.href);
  if (token !== null) window.history.replaceState({ playbackToken: token }, "", href);
  const kept = window.history.state as { playbackToken?: string } | null;
  return token ?? kept?.playbackToken ?? null;
}

export default function WatchPage({ streamId }: { streamId: string }) {
  const [playbackToken, setPlaybackToken] = useState(readToken);
  const session = useSession();
  const token = session?.token ?? null;
  const { stream, gateway, notice, error } = useStream(streamId, token, playbackToken);
  const title = stream?.title;

  // A link pasted into the tab that was refused differs in the fragment alone, which loads no page anew.
  useEffect(() => {
    const onHash = (): void => setPlaybackToken((known) => readToken() ?? known);
    window.addEventListener("hashchange", onHash);
    return () => window.removeEventListener("hashchange", onHash);
  }, []);

  useEffect(() => {
    document.title = title ? `${title} · Spillway` : "Spillway";
  }, [title]);

  return (
    <article className="watch">
      <PlayerSurface
        streamId={streamId}
        stream={stream}
        gateway={gateway}
        token={token}
        playbackToken={playbackToken}
      />
      <div className="watch-info">
        <div className="watch-title">
          <h1>{title ?? (error === null ? "\u00a0" : "Stream not available")}</h1>
          {stream !== null && (
            <p>
              <StatusBadge status={stream.status} />
              {stream.broadcaster_name && <span>{stream.broadcaster_name}</span>}
              {stream.category !== "" && <span className="category">{stream.category}</span>}
            </p>
          )}
        </div>
        {stream !== null && (
          <div className="watch-actions">
            {stream.status === "live" && <ViewerCount total={stream.viewers.total} />}
            <CopyButton
              value={`${window.location.origin}/watch/${encodeURIComponent(streamId)}`}
              label="Copy the link to this stream"
              text="Share"
              icon="share"
            />
          </div>
        )}
      </div>
      {notice !== null && (
        <p className="note" role="status">
          {notice.text}
        </p>
      )}
    </article>
  );
}
