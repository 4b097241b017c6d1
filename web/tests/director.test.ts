import { describe, expect, it } from "vitest";

import type { HostChange } from "../src/api/client";
import { Director } from "../src/stage/director";

/** A server whose answers come when told to. */
class Server {
  readonly heard: [string, HostChange][] = [];
  private readonly waiting: ((failure?: Error) => void)[] = [];

  readonly patch = (who: string, change: HostChange): Promise<void> =>
    new Promise((resolve, reject) => {
      this.heard.push([who, change]);
      this.waiting.push((failure) => (failure === undefined ? resolve() : reject(failure)));
    });

  async answer(failure?: Error): Promise<void> {
    this.waiting.shift()?.(failure);
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  }
}

const gain = (gain_db: number): HostChange => ({ audio: { gain_db } });

describe("Director", () => {
  it("sends one change of a host at a time, and of those that wait the last", async () => {
    const server = new Server();
    const director = new Director(server.patch);
    const asked = [-1, -2, -3].map((db) => director.change("bob", gain(db)));
    expect(server.heard).toEqual([["bob", gain(-1)]]);
    await server.answer();
    expect(server.heard).toEqual([
      ["bob", gain(-1)],
      ["bob", gain(-3)],
    ]);
    await server.answer();
    await Promise.all(asked);
    void director.change("bob", gain(-4));
    expect(server.heard.at(-1)).toEqual(["bob", gain(-4)]);
  });

  it("keeps what else waits", async () => {
    const server = new Server();
    const director = new Director(server.patch);
    void director.change("bob", gain(1));
    void director.change("bob", { audio: { muted: true } });
    void director.change("bob", { video: { muted: true } });
    void director.change("bob", gain(2));
    void director.change("cy", gain(3));
    expect(server.heard.at(-1)).toEqual(["cy", gain(3)]);
    await server.answer();
    expect(server.heard.at(-1)).toEqual(["bob", { audio: { muted: true, gain_db: 2 }, video: { muted: true } }]);
  });

  it("goes on after a refusal", async () => {
    const server = new Server();
    const director = new Director(server.patch);
    const asked = director.change("bob", gain(1));
    const behind = director.change("bob", gain(2));
    const refused = expect(asked).rejects.toThrow("gone");
    await server.answer(new Error("gone"));
    await refused;
    await expect(behind).rejects.toThrow("gone");
    void director.change("bob", gain(3));
    expect(server.heard.at(-1)).toEqual(["bob", gain(3)]);
  });
});
