import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, describe, expect, it } from "vitest";

import { ProblemError } from "../src/api/problem";
import { SessionResource } from "../src/rtc/resource";

interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  body: string;
}

interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

let server: Server | undefined;

/** A real HTTP server that answers with the given replies in order. */
async function serve(replies: Reply[]): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
      const reply = replies.shift() ?? { status: 500 };
      response.writeHead(reply.status, reply.headers);
      response.end(reply.body);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

const CREATED: Reply = {
  status: 201,
  headers: { Location: "/whep/sessions/1", ETag: '"e1"', Link: '<stun:s>; rel="ice-server"' },
  body: "answer",
};
const signal = new AbortController().signal;

describe("SessionResource", () => {
  it("posts the offer and resolves Location against the endpoint", async () => {
    const { url, seen } = await serve([CREATED, { status: 200 }]);
    const created = await SessionResource.create(`${url}/whep/s1`, "offer", "secret", signal);
    expect(created.answer).toBe("answer");
    expect(created.iceServers).toEqual([{ urls: "stun:s" }]);
    await created.resource.close();
    expect(seen.map(({ method, url, body }) => [method, url, body])).toEqual([
      ["POST", "/whep/s1", "offer"],
      ["DELETE", "/whep/sessions/1", ""],
    ]);
    expect(seen[0]?.headers).toMatchObject({ "content-type": "application/sdp", authorization: "Bearer secret" });
    expect(seen[1]?.headers.authorization).toBe("Bearer secret");
  });

  it("sends no Authorization without a token", async () => {
    const { url, seen } = await serve([CREATED]);
    await SessionResource.create(`${url}/whep/s1`, "offer", null, signal);
    expect(seen[0]?.headers.authorization).toBeUndefined();
  });

  it("restarts ICE with If-Match: * and uses the new entity tag from then on", async () => {
    const { url, seen } = await serve([
      CREATED,
      { status: 200, headers: { ETag: '"e2"' }, body: "fragment" },
      { status: 204 },
    ]);
    const { resource } = await SessionResource.create(`${url}/whep/s1`, "offer", null, signal);
    expect(await resource.restartIce("a=ice-ufrag:x", signal)).toBe("fragment");
    await resource.selectEncoding("m");
    expect(seen[1]).toMatchObject({ method: "PATCH", url: "/whep/sessions/1", body: "a=ice-ufrag:x" });
    expect(seen[1]?.headers).toMatchObject({ "if-match": "*", "content-type": "application/trickle-ice-sdpfrag" });
    expect(seen[2]).toMatchObject({ method: "PUT", url: "/whep/sessions/1/encoding", body: '{"rid":"m"}' });
    expect(seen[2]?.headers["if-match"]).toBe('"e2"');
  });

  it("rejects with the server's problem, its manifest and its Retry-After", async () => {
    const body = JSON.stringify({
      type: "/problems/no-seat",
      title: "No seat",
      status: 503,
      detail: "All seats are taken.",
      manifest_url: "/m.m3u8",
    });
    const { url } = await serve([{ status: 503, headers: { "Retry-After": "7" }, body }]);
    const refused = await SessionResource.create(`${url}/whep/s1`, "offer", null, signal).catch((e: unknown) => e);
    expect(refused).toBeInstanceOf(ProblemError);
    expect(refused).toMatchObject({
      status: 503,
      message: "All seats are taken.",
      retryAfterMs: 7000,
      problem: { manifest_url: "/m.m3u8" },
    });
  });

  it("rejects an answer that is no 201, or has no Location", async () => {
    const { url } = await serve([{ status: 200, body: "<html>" }, { status: 201, body: "answer" }]);
    await expect(SessionResource.create(url, "o", null, signal)).rejects.toMatchObject({ status: 200 });
    await expect(SessionResource.create(url, "o", null, signal)).rejects.toThrow("Location");
  });

  it("takes a refused restart as an error and a vanished server at DELETE as none", async () => {
    const { url } = await serve([CREATED, { status: 412 }]);
    const { resource } = await SessionResource.create(`${url}/whep/s1`, "offer", null, signal);
    await expect(resource.restartIce("f", signal)).rejects.toMatchObject({ status: 412 });
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve));
    await expect(resource.close()).resolves.toBeUndefined();
  });
});
