/** What the owner does with hosts: one request at a time for each, since two at once may overtake each other. */

import type { HostChange } from "../api/client";

interface Line {
  /** What is asked for while a request is under way, as one change. */
  next: HostChange | null;
  done: Promise<void>;
}

const together = (first: HostChange, then: HostChange): HostChange => ({
  ...(first.audio || then.audio ? { audio: { ...first.audio, ...then.audio } } : {}),
  ...(first.video || then.video ? { video: { ...first.video, ...then.video } } : {}),
});

export class Director {
  private readonly lines = new Map<string, Line>();

  constructor(private readonly patch: (participantId: string, change: HostChange) => Promise<unknown>) {}

  /** A dragged slider asks for forty levels a second: of those that wait only the last is sent. */
  change(participantId: string, change: HostChange): Promise<void> {
    const line = this.lines.get(participantId);
    if (line !== undefined) {
      line.next = line.next === null ? change : together(line.next, change);
      return line.done;
    }
    const begun: Line = { next: change, done: Promise.resolve() };
    this.lines.set(participantId, begun);
    begun.done = this.run(participantId, begun);
    return begun.done;
  }

  private async run(participantId: string, line: Line): Promise<void> {
    try {
      while (line.next !== null) {
        const change = line.next;
        line.next = null;
        await this.patch(participantId, change);
      }
    } finally {
      this.lines.delete(participantId);
    }
  }
}
