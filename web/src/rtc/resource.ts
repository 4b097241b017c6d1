/** The HTTP side of one WHIP or WHEP session (RFC 9725): POST, PATCH with If-Match, DELETE. */

import { problemFrom } from "../api/problem";
import { parseIceServers } from "./link";

export interface Created {
  resource: SessionResource;
  answer: string;
  iceServers: RTCIceServer[];
}

export class SessionResource {
  private constructor(
    private readonly url: string,
    private etag: string | null,
    private readonly bearer: string | null,
  ) {}

  /** Rejects with ProblemError on any answer but 201, TypeError without an answer. */
  static async create(
    endpoint: string,
    offer: string,
    bearer: string | null,
    signal: AbortSignal,
  ): Promise<Created> {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: { ...authorization(bearer), "Content-Type": "application/sdp", Accept: "application/sdp" },
      body: offer,
      signal,
    });
    if (response.status !== 201) throw await problemFrom(response);
    const location = response.headers.get("Location");
    if (location === null) throw new Error("The server's answer has no Location");
    const base = response.url === "" ? endpoint : response.url;
    const resource = new SessionResource(
      new URL(location, base).href,
      response.headers.get("ETag"),
      bearer,
    );
    return {
      resource,
      answer: await response.text(),
      iceServers: parseIceServers(response.headers.get("Link")),
    };
  }

  /** Section 4.3.3: an ICE restart goes out with `If-Match: *` and comes back as 200 with a new entity tag. */
  async restartIce(fragment: string, signal: AbortSignal): Promise<string> {
    const response = await fetch(this.url, {
      method: "PATCH",
      headers: {
        ...authorization(this.bearer),
        "Content-Type": "application/trickle-ice-sdpfrag",
        "If-Match": "*",
      },
      body: fragment,
      signal,
    });
    if (response.status !== 200) throw await problemFrom(response);
    this.etag = response.headers.get("ETag") ?? this.etag;
    return response.text();
  }

  /** Choose the simulcast encoding that this viewer gets. */
  async selectEncoding(rid: string): Promise<void> {
    const response = await fetch(`${this.url}/encoding`, {
      method: "PUT",
      headers: {
        ...authorization(this.bearer),
        "Content-Type": "application/json",
        ...(this.etag === null ? {} : { "If-Match": this.etag }),
      },
      body: JSON.stringify({ rid }),
    });
    if (!response.ok) throw await problemFrom(response);
  }

  /** `keepalive` lets the request outlive the page. A server that is gone needs no goodbye. */
  async close(): Promise<void> {
    try {
      await fetch(this.url, { method: "DELETE", headers: authorization(this.bearer), keepalive: true });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }
}

const authorization = (bearer: string | null): Record<string, string> =>
  bearer === null ? {} : { Authorization: `Bearer ${bearer}` };
