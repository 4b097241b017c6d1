import { useEffect } from "react";

import { Link } from "../../app/router";
import { signOut, useSession } from "../../app/session";
import { Spinner } from "../../ui/Busy";
import { ErrorNote } from "../../ui/ErrorNote";
import { SignIn } from "../studio/SignIn";
import { StreamRow } from "./StreamRow";
import { useOwnStreams } from "./useOwnStreams";

export default function DashboardPage() {
  const session = useSession();
  useEffect(() => {
    document.title = "Dashboard · Spillway";
  }, []);
  if (session === null) return <SignIn reason="Your streams and their keys are behind this door." />;
  return <Dashboard key={session.token} token={session.token} name={session.name} />;
}

function Dashboard({ token, name }: { token: string; name: string }) {
  const { streams, error, more, loadMore, reload, replace, remove } = useOwnStreams(token);
  return (
    <section className="page medium">
      <div className="page-head">
        <div>
          <h1>Your streams</h1>
          <p className="hint">
            Signed in as {name} ·{" "}
            <button type="button" className="link" onClick={signOut}>
              Sign out
            </button>
          </p>
        </div>
        <Link href="/studio" className="button">
          New stream
        </Link>
      </div>
      {error !== null && <ErrorNote text={error} onRetry={reload} />}
      {streams === null && error === null && <Spinner label="Loading your streams" />}
      {streams?.length === 0 && (
        <div className="empty" data-testid="empty">
          <h2>No streams yet</h2>
          <p>Create one in the studio. It keeps its address and its key for as long as you like.</p>
          <Link href="/studio" className="button primary">
            Create a stream
          </Link>
        </div>
      )}
      <ul className="rows">
        {streams?.map((stream) => (
          <StreamRow
            key={stream.stream_id}
            stream={stream}
            token={token}
            onChanged={replace}
            onDeleted={() => remove(stream.stream_id)}
          />
        ))}
      </ul>
      {more && (
        <div className="more">
          <button type="button" className="button" onClick={loadMore}>
            Show more
          </button>
        </div>
      )}
    </section>
  );
}
