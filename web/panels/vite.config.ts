import { defineConfig } from "vite";

export default defineConfig({
  // For a picture, not for a visitor: nothing is split, and size does not matter.
  build: { outDir: "dist", chunkSizeWarningLimit: 10_000, codeSplitting: false },
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
});
