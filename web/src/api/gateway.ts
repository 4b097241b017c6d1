/** The Socket.IO side of a stream: what changes while one looks at it. */

import { io, type Socket } from "socket.io-client";

import { Emitter } from "./emitter";
import { ProblemError, toProblem } from "./problem";
import type { Notice, Playback, StageView, Stream, Viewers } from "./types";

interface ServerEvents {
  stream: (stream: Stream) => void;
  playback: (playback: Playback) => void;
  viewers: (viewers: Viewers) => void;
  notice: (notice: Notice) => void;
  stage: (stage: StageView) => void;
}

type JoinAck = { ok: true; stream: Stream; playback: Playback } | { ok: false; problem: unknown };

interface ClientEvents {
  join: (request: { stream_id: string }, ack: (answer: JoinAck) => void) => void;
  leave: (ack: () => void) => void;
}

export interface GatewayEvents {
  stream: Stream;
  playback: Playback;
  viewers: Viewers;
  notice: Notice;
  stage: StageView;
  /** The socket is up, and has asked to join. */
  connected: null;
  /** True from the acknowledged join until the socket drops. */
  joined: boolean;
  /** The connection, for its token, or the join. Nothing more comes. */
  refused: ProblemError;
}

export interface Credentials {
  token: string | null;
  playbackToken: string | null;
}

/** 5 s: an answer later than that is of no use to a person who looks at a spinner. */
const JOIN_TIMEOUT_MS = 5000;
/** Negotiation of a dozen tracks on a busy machine. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Joins one stream, and joins again after every reconnect. */
export class Gateway {
  readonly events = new Emitter<GatewayEvents>();
  private readonly socket: Socket<ServerEvents, ClientEvents>;
  private isJoined = false;

  constructor(
    private readonly streamId: string,
    { token, playbackToken }: Credentials,
  ) {
    this.socket = io({
      autoConnect: false,
      transports: ["websocket"],
      auth: {
        ...(token ? { token } : {}),
        ...(playbackToken ? { playback_token: playbackToken } : {}),
      },
      reconnectionDelay: 500,
      reconnectionDelayMax: 10_000,
      randomizationFactor: 0.5,
    });
    this.socket.on("connect", () => {
      this.join();
      this.events.emit("connected", null);
    });
    this.socket.on("connect_error", (error: Error & { data?: unknown }) => {
      // Without data the network failed, and it is tried again.
      if (error.data !== undefined) this.events.emit("refused", new ProblemError(toProblem(error.data, 401)));
    });
    this.socket.on("disconnect", () => this.setJoined(false));
    this.socket.on("stream", (stream) => this.events.emit("stream", stream));
    this.socket.on("playback", (playback) => this.events.emit("playback", playback));
    this.socket.on("viewers", (viewers) => this.events.emit("viewers", viewers));
    this.socket.on("notice", (notice) => this.events.emit("notice", notice));
    this.socket.on("stage", (stage) => this.events.emit("stage", stage));
  }

  get joined(): boolean {
    return this.isJoined;
  }

  get connected(): boolean {
    return this.socket.connected;
  }

  /** One acknowledged event; rejects with ProblemError, or Error when no answer came. */
  async request<Answer>(event: string, payload?: object): Promise<Answer> {
    const socket: Socket = this.socket;
    const parts = payload === undefined ? [] : [payload];
    const answer = (await socket.timeout(REQUEST_TIMEOUT_MS).emitWithAck(event, ...parts)) as
      | ({ ok: true } & Answer)
      | { ok: false; problem: unknown };
    if (!answer.ok) throw new ProblemError(toProblem(answer.problem, 400));
    return answer;
  }

  /** Open and close may alternate. */
  open(): void {
    this.socket.connect();
  }

  close(): void {
    this.socket.disconnect();
  }

  private join(): void {
    this.socket.timeout(JOIN_TIMEOUT_MS).emit("join", { stream_id: this.streamId }, (error: Error | null, answer: JoinAck) => {
      if (error !== null) {
        // No answer in time: a fresh connection asks again.
        this.socket.disconnect().connect();
        return;
      }
      if (!answer.ok) {
        this.events.emit("refused", new ProblemError(toProblem(answer.problem, 403)));
        return;
      }
      this.setJoined(true);
      this.events.emit("stream", answer.stream);
      this.events.emit("playback", answer.playback);
    });
  }

  private setJoined(joined: boolean): void {
    if (this.isJoined === joined) return;
    this.isJoined = joined;
    this.events.emit("joined", joined);
  }
}
