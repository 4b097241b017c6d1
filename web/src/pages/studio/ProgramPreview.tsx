import { useEffect, useRef } from "react";

import { WhepClient } from "../../whep/client";

/** What the audience sees now. Silent: one hears the hosts themselves. */
export function ProgramPreview({ streamId, token }: { streamId: string; token: string }) {
  const ref = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const client = new WhepClient(`/whep/${encodeURIComponent(streamId)}`, token, false);
    const stream = new MediaStream();
    client.events.on("peer", () => stream.getTracks().forEach((track) => stream.removeTrack(track)));
    client.events.on("track", ({ track }) => stream.addTrack(track));
    if (ref.current !== null) ref.current.srcObject = stream;
    client.start();
    return () => void client.stop();
  }, [streamId, token]);
  return (
    <video ref={ref} className="program-preview" data-testid="program-preview" autoPlay muted playsInline aria-label="The program, as viewers see it" />
  );
}
