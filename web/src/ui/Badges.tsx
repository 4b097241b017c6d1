import type { StreamStatus } from "../api/types";
import { count, plural } from "./format";
import { Icon } from "./icons";

const WORDS: Record<StreamStatus, string> = {
  live: "Live",
  created: "Not live yet",
  scheduled: "Scheduled",
  ended: "Ended",
};

export function StatusBadge({ status }: { status: StreamStatus }) {
  return <span className={`badge ${status}`}>{WORDS[status]}</span>;
}

export function ViewerCount({ total }: { total: number }) {
  return (
    <span className="viewers" data-testid="viewer-count" data-count={total} aria-label={plural(total, "viewer")}>
      <Icon name="viewers" />
      {count(total)}
    </span>
  );
}
