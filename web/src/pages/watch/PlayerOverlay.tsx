import type { Recording, Stream } from "../../api/types";
import type { PlayerView } from "../../player/view";
import { Spinner } from "../../ui/Busy";
import { Poster } from "../../ui/Poster";
import { RecordingList } from "./RecordingList";

interface Props {
  view: PlayerView;
  stream: Stream | null;
  onRetry: () => void;
  recordings: Recording[];
  onReplay: (recording: Recording) => void;
}

/** What lies over the picture while there is none. */
export function PlayerOverlay({ view, stream, onRetry, recordings, onReplay }: Props) {
  switch (view.state) {
    case "playing":
      return null;
    case "idle":
    case "connecting":
      return (
        <div className="player-cover">
          <Spinner label="Connecting" />
          {view.message !== null && <p>{view.message}</p>}
        </div>
      );
    case "reconnecting":
      return (
        <div className="player-cover translucent">
          <Spinner label="Reconnecting" />
          <p>Reconnecting…</p>
        </div>
      );
    case "offline":
      return (
        <div className="player-cover">
          {stream !== null && (
            <div className="player-poster">
              <Poster streamId={stream.stream_id} thumbnailUrl={stream.thumbnail_url} />
            </div>
          )}
          <h2>{stream?.status === "ended" ? "This stream has ended" : "Not live right now"}</h2>
          <p>{offlineText(stream)}</p>
          <RecordingList recordings={recordings} onReplay={onReplay} />
        </div>
      );
    case "error":
      return (
        <div className="player-cover" role="alert">
          <h2>Can’t play this stream</h2>
          <p>{view.message}</p>
          <button type="button" className="button" onClick={onRetry}>
            Try again
          </button>
        </div>
      );
  }
}

function offlineText(stream: Stream | null): string {
  if (stream?.status === "ended") return "Thanks for watching. If the host comes back, it starts right here.";
  return "Stay on this page: the picture starts by itself as soon as the host is live.";
}
