import type { Recording } from "../../api/types";
import { clock } from "../../ui/format";

/** What makes a recording less than a whole one, in the words that its list shows. */
export function recordingNotes({ status, missing_s: missing }: Pick<Recording, "status" | "missing_s">): string[] {
  const notes: string[] = [];
  if (status === "recording") notes.push("still recording");
  if (status === "paused") notes.push("recording is paused");
  // Rounded up: a gap is never said to be shorter than it is.
  if (missing > 0) notes.push(missing > 59 ? `${clock(Math.ceil(missing))} min missing` : `${Math.ceil(missing)} s missing`);
  return notes;
}
