/**
 * A stand-in for the server, for looking at the pages: `npm run dev:mock`. The REST calls and Socket.IO events come from
 * memory; media is real: WHIP and WHEP offers are answered by a browser tab that has /dev/peer.html open.
 */

import { randomUUID } from "node:crypto";
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";

import { Server } from "socket.io";
import type { Plugin } from "vite";

import { Catalogue, type Scenario } from "./catalogue.ts";

type Handler = (request: IncomingMessage, response: ServerResponse, path: string) => Promise<boolean>;

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json" });
  response.end(JSON.stringify(body));
}

function problem(response: ServerResponse, status: number, name: string, detail: string): void {
  send(response, status, { type: `/problems/${name}`, title: name, status, detail });
}

function restHandler(catalogue: Catalogue): Handler {
  return async (request, response, path) => {
    const { method = "GET" } = request;
    if (path === "/__mock/scenario") {
      catalogue.scenario = (await readBody(request)) as Scenario;
      send(response, 200, {});
      return true;
    }
    if (!path.startsWith("/api/v1/")) return false;
    const [resource, id, action] = path.slice("/api/v1/".length).split("/");
    if (resource === "accounts" || resource === "tokens") {
      const { name } = JSON.parse(await readBody(request)) as { name: string };
      if (name === "taken") problem(response, 409, "name-taken", "Somebody else has this name already.");
      else send(response, resource === "accounts" ? 201 : 200, { account_id: "a1", name, token: "t-mock" });
      return true;
    }
    if (resource !== "streams") return false;
    if (catalogue.scenario === "error") {
      problem(response, 503, "not-ready", "The database is being upgraded. This takes about a minute.");
      return true;
    }
    if (id === "discover") {
      const query = new URL(request.url ?? "", "http://mock").searchParams;
      send(response, 200, catalogue.discover(query.get("category"), query.get("cursor")));
    } else if (id === undefined && method === "GET") {
      send(response, 200, { streams: catalogue.own(), next_cursor: null });
    } else if (id === undefined) {
      const draft = JSON.parse(await readBody(request)) as { title: string; category: string };
      send(response, 201, catalogue.create(draft, `http://${request.headers.host ?? ""}`));
    } else if (catalogue.find(id) === undefined) {
      problem(response, 404, "stream-unknown", "There is no stream with this id.");
    } else if (action === "key") {
      send(response, 200, { stream_key: catalogue.rotate(id) });
    } else if (action === "playback") {
      send(response, 200, catalogue.playback(id));
    } else if (action !== undefined) {
      problem(response, 404, "stream-not-live", "No manifest: the stream isn't live.");
    } else if (method === "PATCH") {
      send(response, 200, catalogue.update(id, JSON.parse(await readBody(request)) as object));
    } else if (method === "DELETE") {
      catalogue.remove(id);
      response.writeHead(204).end();
    } else {
      send(response, 200, catalogue.find(id));
    }
    return true;
  };
}

function mediaHandler(catalogue: Catalogue, io: Server): Handler {
  return async (request, response, path) => {
    if (!path.startsWith("/whip") && !path.startsWith("/whep")) return false;
    const publishing = path.startsWith("/whip");
    if ((await io.of("/peer").fetchSockets()).length === 0) {
      problem(response, 409, "stream-not-live", "Open /dev/peer.html in another tab: it plays the other side.");
      return true;
    }
    const ask = async (event: string, message: object): Promise<string | null> =>
      ((await io.of("/peer").timeout(5000).emitWithAck(event, message)) as (string | null)[])[0] ?? null;
    if (request.method === "DELETE") {
      await ask("close", { session: path });
      response.writeHead(200).end();
      return true;
    }
    if (request.method === "PATCH") {
      const fragment = await ask("restart", { session: path, fragment: await readBody(request) });
      if (fragment === null) problem(response, 404, "session-unknown", "There is no such session.");
      else response.writeHead(200, { "Content-Type": "application/trickle-ice-sdpfrag", ETag: '"2"' }).end(fragment);
      return true;
    }
    if (request.method === "PUT") {
      response.writeHead(204).end();
      return true;
    }
    const session = `/${publishing ? "whip" : "whep"}/session/${randomUUID()}`;
    const answer = await ask("offer", { session, publishing, sdp: await readBody(request) });
    if (publishing) {
      const id = catalogue.goLive((request.headers.authorization ?? "").replace("Bearer ", ""));
      if (id !== null) io.to(id).emit("stream", catalogue.find(id));
    }
    response.writeHead(201, {
      "Content-Type": "application/sdp",
      Location: session,
      ETag: '"1"',
    });
    response.end(answer);
    return true;
  };
}

function openGateway(http: HttpServer, catalogue: Catalogue): Server {
  const io = new Server(http, { transports: ["websocket"], serveClient: false });
  io.on("connection", (socket) => {
    socket.on("join", (request: { stream_id: string }, ack: (answer: unknown) => void) => {
      const stream = catalogue.find(request.stream_id);
      if (stream === undefined) {
        ack({ ok: false, problem: { type: "/problems/stream-unknown", title: "Unknown stream", status: 404 } });
        return;
      }
      void socket.join(stream.stream_id);
      ack({ ok: true, stream, playback: catalogue.playback(stream.stream_id) });
    });
  });
  return io;
}

export function mockServer(): Plugin {
  return {
    name: "spillway-mock",
    configureServer(server) {
      if (server.httpServer === null) return;
      const catalogue = new Catalogue();
      const io = openGateway(server.httpServer as HttpServer, catalogue);
      io.of("/peer");
      const handlers = [restHandler(catalogue), mediaHandler(catalogue, io)];
      server.middlewares.use((request, response, next) => {
        const path = new URL(request.url ?? "/", "http://mock").pathname;
        void (async () => {
          for (const handler of handlers) if (await handler(request, response, path)) return;
          next();
        })().catch(next);
      });
    },
  };
}
