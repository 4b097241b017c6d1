import type { Stream } from "../../api/types";
import { Link } from "../../app/router";
import { watchPath } from "../../app/routes";
import { StatusBadge } from "../../ui/Badges";
import { count, plural } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { Poster } from "../../ui/Poster";

export function StreamCard({ stream }: { stream: Stream }) {
  const { total } = stream.viewers;
  return (
    <Link href={watchPath(stream.stream_id)} className="card" data-testid="stream-card" data-stream-id={stream.stream_id}>
      <div className="card-picture">
        <Poster streamId={stream.stream_id} thumbnailUrl={stream.thumbnail_url} />
        <StatusBadge status={stream.status} />
        <span className="viewers" aria-label={plural(total, "viewer")}>
          <Icon name="viewers" />
          {count(total)}
        </span>
      </div>
      <h2>{stream.title}</h2>
      <p>
        {stream.broadcaster_name && <span>{stream.broadcaster_name}</span>}
        {stream.category !== "" && <span>{stream.category}</span>}
      </p>
    </Link>
  );
}
