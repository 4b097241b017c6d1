import type { Recording } from "../../api/types";
import { clock, moment } from "../../ui/format";
import { recordingNotes } from "./recordingNotes";

interface Props {
  recordings: Recording[];
  onReplay: (recording: Recording) => void;
}

/** What there is to watch while the stream is off. */
export function RecordingList({ recordings, onReplay }: Props) {
  if (recordings.length === 0) return null;
  return (
    <ul className="recordings" aria-label="Recordings">
      {recordings.map((recording) => (
        <li key={recording.recording_id}>
          <button type="button" data-testid="replay" onClick={() => onReplay(recording)}>
            {recording.thumbnail_url !== null && <img src={recording.thumbnail_url} alt="" loading="lazy" />}
            <span>
              {moment(recording.started_at)} · {clock(recording.duration_s)}
            </span>
            {recordingNotes(recording).map((note) => (
              <span className="recording-note" key={note}>
                {note}
              </span>
            ))}
          </button>
          <a href={recording.mp4_url} download>
            MP4
          </a>
        </li>
      ))}
    </ul>
  );
}
