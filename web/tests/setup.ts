// Builds the page once and starts the mock server, unless BASE_URL names a real one.

import { fileURLToPath } from "node:url";
import { build } from "vite";
import type { TestProject } from "vitest/node";
import { start } from "./mock/server";

declare module "vitest" {
  interface ProvidedContext {
    url: string;
    dist: string;
    /** BASE_URL; empty: the mock server. */
    real: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const dist = fileURLToPath(new URL("../../api/page", import.meta.url));
  project.provide("dist", dist);
  const real = project.getProvidedContext().real;
  if (real) {
    project.provide("url", real.replace(/\/$/, ""));
    return async () => undefined;
  }
  await build({ root, configFile: `${root}vite.config.ts`, logLevel: "warn" });
  const server = await start(dist);
  project.provide("url", server.url);
  return () => server.close();
}
