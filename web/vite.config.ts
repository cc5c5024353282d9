// How the page is built and tested. Everything it loads is a file of its own origin: the server's
// Content-Security-Policy allows no inline script, no inline style and no data: address.
import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "./",
  build: {
    // Kept there, so that the program builds without Node.js.
    outDir: "../api/page",
    emptyOutDir: true,
    // Of what is bundled.
    license: { fileName: "licenses.md" },
    target: ["chrome123", "firefox121", "safari17.5"],
    assetsInlineLimit: 0,
    // The polyfill is for browsers older than the targets.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: Object.fromEntries(["/v1", "/openapi.json"].map((path) => [path, process.env.EVALX_URL ?? "http://127.0.0.1:2358"])),
  },
  test: {
    include: ["tests/**/*.{test,spec}.ts"],
    // Pictures are no tests.
    exclude: process.env.SCREENSHOTS ? [] : ["tests/browser/screenshots.spec.ts"],
    globalSetup: "tests/setup.ts",
    // Read here: vitest puts a BASE_URL of its own into the environment of the tests.
    provide: { real: /^https?:/.test(process.env.BASE_URL ?? "") ? (process.env.BASE_URL ?? "") : "" },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // One Chromium at a time is enough for two cores.
    fileParallelism: false,
  },
});
