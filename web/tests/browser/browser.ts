// Chromium for the browser tests, and the pages they open.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContextOptions, type Page, chromium } from "playwright-core";
import { inject } from "vitest";

/** Debian's, as found on PATH; CHROMIUM names another. */
function executable(): string {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, "chromium");
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // In the next one, perhaps.
    }
  }
  throw new Error("the browser tests need Chromium; install it with: sudo apt-get install -y chromium, or name one in CHROMIUM");
}

export function launch(): Promise<Browser> {
  // As root Chromium has no sandbox of its own; it only sees this page.
  return chromium.launch({ executablePath: executable(), chromiumSandbox: process.getuid?.() !== 0 });
}

/** What went wrong in a page: each test ends with none. */
export interface Watched {
  page: Page;
  faults: string[];
}

export async function open(browser: Browser, hash = "", options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ locale: "en-GB", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    // The browser logs each answer that is an error; what the page makes of those is tested.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(message.text());
  });
  await page.goto(`${inject("url")}/${hash}`);
  return { page, faults };
}

export async function write(page: Page, program: string): Promise<void> {
  const editor = page.getByRole("textbox", { name: "Program" });
  await editor.click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(program);
}
