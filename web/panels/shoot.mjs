// Serves the page, the dashboards and a way to Prometheus on loopback, and takes a picture of each
// dashboard: `node shoot.mjs PROMETHEUS FROM TO FOLDER`, times in seconds.

import { readFile, readdir } from "node:fs/promises";
import { createServer } from "node:http";
import { chromium } from "playwright-core";

const [prometheus, from, to, folder] = process.argv.slice(2);
const here = new URL(".", import.meta.url);
const dashboards = new URL("../../charts/evalx/dashboards/", here);
const kinds = { html: "text/html", js: "text/javascript", css: "text/css", json: "application/json" };

const server = createServer(async (request, response) => {
  const path = request.url.split("?")[0];
  try {
    if (path.startsWith("/prometheus/")) {
      const answer = await fetch(prometheus + request.url.slice("/prometheus".length));
      response.writeHead(answer.status, { "content-type": "application/json" });
      response.end(await answer.text());
      return;
    }
    const file = path.startsWith("/dashboards/")
      ? new URL(path.slice("/dashboards/".length), dashboards)
      : new URL(path === "/" ? "dist/index.html" : `dist${path}`, here);
    const body = await readFile(file);
    response.writeHead(200, { "content-type": kinds[path.split(".").pop()] ?? "text/html" });
    response.end(body);
  } catch (error) {
    response.writeHead(404);
    response.end(String(error));
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const address = `http://127.0.0.1:${server.address().port}`;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});
let failed = false;
try {
  const step = Math.max(1, Math.round((to - from) / 120));
  for (const file of (await readdir(dashboards)).filter((file) => file.endsWith(".json"))) {
    const name = file.replace(".json", "");
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    page.on("pageerror", (error) => {
      console.error(`${name}: ${error}`);
      failed = true;
    });
    await page.goto(`${address}/#${name}?from=${from}&to=${to}&step=${step}`);
    await page.waitForFunction(() => document.title === "drawn", undefined, { timeout: 60_000 });
    await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
    console.log(`${folder}/${name}.png`);
    await page.close();
  }
} finally {
  await browser.close();
  server.close();
}
process.exit(failed ? 1 : 0);
