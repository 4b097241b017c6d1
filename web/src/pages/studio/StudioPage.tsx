import { useEffect, useState } from "react";

import { Link } from "../../app/router";
import { studioPath } from "../../app/routes";
import { useSession } from "../../app/session";
import { StatusBadge } from "../../ui/Badges";
import { ErrorNote } from "../../ui/ErrorNote";
import { useOwnStreams } from "../dashboard/useOwnStreams";
import { GuestRoom, hasReentry } from "./GuestRoom";
import { NewStream } from "./NewStream";
import { SignIn } from "./SignIn";
import { StudioRoom } from "./StudioRoom";

export default function StudioPage({ streamId }: { streamId: string | null }) {
  const session = useSession();
  useEffect(() => {
    document.title = "Studio · Spillway";
  }, []);
  const [invite] = useState(() => new URLSearchParams(window.location.search).get("invite"));
  if (streamId !== null && (invite !== null || (session === null && hasReentry(streamId)))) {
    return <GuestRoom streamId={streamId} invite={invite} token={session?.token ?? null} />;
  }
  if (session === null) return <SignIn reason="Go live from this browser or from OBS, in under a minute." />;
  if (streamId === null) return <Lobby key={session.token} token={session.token} />;
  return <StudioRoom streamId={streamId} token={session.token} />;
}

/** Before the room: make a stream, or take one of yours. */
function Lobby({ token }: { token: string }) {
  const { streams, error, reload } = useOwnStreams(token);
  return (
    <section className="page medium">
      <div className="page-head">
        <h1>Studio</h1>
      </div>
      <div className="lobby">
        <NewStream token={token} />
        {error !== null && <ErrorNote text={error} onRetry={reload} />}
        {streams !== null && streams.length > 0 && (
          <div className="panel">
            <h2>Your streams</h2>
            <ul className="picks">
              {streams.map((stream) => (
                <li key={stream.stream_id}>
                  <Link href={studioPath(stream.stream_id)}>
                    <span>{stream.title}</span>
                    <StatusBadge status={stream.status} />
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        )}
      </div>
    </section>
  );
}
