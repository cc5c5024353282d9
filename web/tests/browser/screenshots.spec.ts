// The pictures in docs/page, at 1280 and 360 px, light and dark: SCREENSHOTS=FOLDER makes them.

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import type { Browser } from "playwright-core";
import { launch, open, write } from "./browser";

const folder = resolve(process.env.SCREENSHOTS ?? ".");
const PROGRAM = `#include <algorithm>
#include <iostream>
#include <vector>

// The longest strictly increasing subsequence, in O(n log n).
int main() {
    int n;
    std::cin >> n;
    std::vector<int> tails;
    for (int x; n-- > 0 && std::cin >> x;) {
        auto it = std::lower_bound(tails.begin(), tails.end(), x);
        if (it == tails.end()) tails.push_back(x);
        else *it = x;
    }
    std::cout << tails.size() << " elements\\n";
}
`;

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser?.close());

async function shoot(page: Page, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await page.mouse.move(0, 0);
  // A window as tall as the page: what sticks to the window's edge is at the page's.
  const [width, height] = await page.evaluate(() => [innerWidth, document.documentElement.scrollHeight] as const);
  await page.setViewportSize({ width, height });
  await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [1280, 360]) {
    test(`pictures at ${width} px, ${colorScheme}`, { timeout: 90_000 }, async () => {
      const options = { colorScheme, viewport: { width, height: width > 900 ? 800 : 740 } };
      const { page } = await open(browser, "", options);
      const shot = (view: string) => shoot(page, `${view}-${width}-${colorScheme}`);
      await page.getByLabel("Language").selectOption("cpp17");
      await write(page, PROGRAM);
      // The mock adds numbers up: the second of these fails.
      await page.getByLabel("Input of test 2").fill("6\n3 1 2 8 5 7\n");
      await page.getByLabel("Expected output of test 2").fill("4 elements\n");
      for (let i = 4; i <= 12; i += 1) {
        await page.getByRole("button", { name: "Add a test" }).click();
        await page.keyboard.insertText(`${i} ${i}\n`);
        await page.getByLabel(`Expected output of test ${i}`).fill(`${2 * i}\n`);
      }
      await page.getByLabel("CPU, s").fill("2");
      await page.getByRole("button", { name: "Run", exact: true }).click();
      await page.getByRole("heading", { name: "Wrong answer" }).waitFor();
      // The editor shows the end, where the program was put in.
      await page.getByRole("textbox", { name: "Program" }).focus();
      await page.keyboard.press("ControlOrMeta+Home");
      await page.getByText("#include <algorithm>").waitFor();
      await shot("playground");
      await page.getByRole("link", { name: "Timeline and details" }).click();
      await page.locator(".timeline").waitFor();
      await shot("submission");
      await page.goto(page.url().replace(/#.*/, "#/api"));
      await page.locator(".route > summary").first().click();
      await shot("api");
      await page.context().close();
      // Ten minutes of the fleet, seen in a moment.
      const fleet = await open(browser, "", { ...options });
      await fleet.page.clock.install();
      await fleet.page.goto(fleet.page.url() + "#/fleet");
      let minute = 0;
      let finished = 52_000;
      await fleet.page.route("**/v1/fleet", async (route) => {
        const answer = await (await route.fetch()).json();
        minute += 1 / 30;
        const wave = Math.max(0, Math.sin(minute * 1.3) + 0.4 * Math.sin(minute * 4.1));
        answer.lanes.normal = { depth: Math.round(160 * wave), oldest_ms: Math.round(2600 * wave), backlog_ms: 0 };
        answer.lanes.low = { depth: 40, oldest_ms: Math.round(3000 + 600 * wave), backlog_ms: 0 };
        finished += 2 * (38 + 9 * Math.cos(minute * 1.3));
        answer.totals.finished = Math.round(finished);
        await route.fulfill({ json: answer });
      });
      await fleet.page.getByText("live, every 2 s").waitFor();
      for (let i = 0; i < 300; i += 1) {
        const answered = fleet.page.waitForResponse("**/v1/fleet");
        await fleet.page.clock.runFor(2000);
        await answered;
      }
      await shoot(fleet.page, `fleet-${width}-${colorScheme}`);
      await fleet.page.context().close();
    });
  }
}
