import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const api = process.env.SPILLWAY_API ?? "http://127.0.0.1:8080";
const mocked = process.env.SPILLWAY_MOCK === "1";

const mock = mocked ? [(await import("./dev/mock.ts")).mockServer()] : [];

export default defineConfig({
  plugins: [react(), ...mock],
  base: "/",
  build: {
    outDir: "../signaling/static",
    emptyOutDir: true,
    target: ["chrome120", "firefox128", "safari17"],
    // The pages run under `default-src 'self'`: a data: URL would be refused.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
  },
  server: {
    host: "127.0.0.1",
    ...(mocked
      ? {}
      : {
          proxy: {
            "/api": api,
            "/whip": api,
            "/whep": api,
            "/socket.io": { target: api, ws: true },
          },
        }),
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
