// The page in a browser. The same tests run against a real server: BASE_URL=http://127.0.0.1:8080.

import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { type Watched, launch, open, write } from "./browser";

const SUM = "#include <iostream>\nint main() { long long a, b; std::cin >> a >> b; std::cout << a + b << '\\n'; }\n";
const DIFFERENCE = SUM.replace("a + b", "a - b");

let browser: Browser;
let watched: Watched[] = [];

beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser?.close());
afterEach(async () => {
  const faults = watched.flatMap((w) => w.faults);
  for (const { page } of watched) await page.context().close();
  watched = [];
  expect(faults).toEqual([]);
});

async function at(hash = "", options = {}): Promise<Page> {
  const it = await open(browser, hash, options);
  watched.push(it);
  return it.page;
}

/** Runs it and waits for the verdict's name. */
async function judged(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByRole("heading", { name, exact: true }).waitFor();
}

describe("the playground", () => {
  test("runs a program that is typed and shows its verdict", async () => {
    const page = await at();
    await page.getByLabel("Language").selectOption("cpp17");
    await write(page, SUM);
    await judged(page, "Accepted");
    expect(await page.locator(".strip").innerText()).toMatch(/AC[\s\S]*3 of 3 tests passed[\s\S]*CPU[\s\S]*of 10 s[\s\S]*Wall[\s\S]*of 2[01] s[\s\S]*Memory[\s\S]*of 256 MiB/);
    expect(await page.locator("#says").innerText()).toBe("Accepted. 3 of 3 tests passed.");
    expect(await page.locator("tbody tr:not(.detail)").count()).toBe(3);
  });

  test("is all there by keyboard", async () => {
    const page = await at();
    const editor = page.getByRole("textbox", { name: "Program" });
    await editor.waitFor();
    // The skip link is first, and leads past the bar.
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("language");
    await editor.focus();
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.className)).toBe("editor");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.className)).not.toBe("editor");
    await write(page, SUM);
    await page.keyboard.press("ControlOrMeta+Enter");
    await page.getByRole("heading", { name: "Accepted" }).waitFor();
  });

  test("opens the first failure with what went in and came out", async () => {
    const page = await at();
    await page.getByLabel("Language").selectOption("cpp17");
    await write(page, DIFFERENCE);
    await judged(page, "Wrong answer");
    expect(await page.locator(".strip-note").innerText()).toContain("First failure: test 1.");
    const detail = await page.locator(".detail:not([hidden])").innerText();
    for (const part of ["Input", "1 2", "Expected", "3", "Printed", "-1", 'expected "3"']) expect(detail).toContain(part);
    const toggle = page.locator(".toggle[aria-expanded=true]");
    await toggle.press("Enter");
    expect(await page.locator(".detail:not([hidden])").count()).toBe(0);
  });

  test("shows what the compiler said", async () => {
    const page = await at();
    await page.getByLabel("Language").selectOption("cpp17");
    await write(page, "#error not today\nint main() {}\n");
    await judged(page, "Compile error");
    expect(await page.getByLabel("Compiler output").innerText()).toContain("#error not today");
  });

  test("stops at a limit that is set, and says which", async () => {
    const page = await at();
    await page.getByLabel("Language").selectOption("cpp17");
    await write(page, "int main() { for (;;) {} }\n");
    await page.getByLabel("CPU, s").fill("0.3");
    await page.getByLabel("Stop at the first failure").check();
    await judged(page, "Time limit");
    expect(await page.locator(".gauge").first().getAttribute("data-level")).toBe("full");
    expect(await page.locator(".gauge").first().innerText()).toContain("of 300 ms");
    expect(await page.locator(".tests").innerText()).toMatch(/TLE[\s\S]*SKIPPED/);
  });

  test("runs on one input and compares nothing", async () => {
    const page = await at();
    await page.getByLabel("Language").selectOption("cpp17");
    await write(page, SUM);
    await page.locator("label[for=mode-stdin]").click();
    await page.getByLabel("Input", { exact: true }).fill("20 22\n");
    await judged(page, "Ran to the end");
    expect(await page.locator(".pane", { hasText: "Printed" }).innerText()).toContain("42");
  });

  test("adds and removes tests, and keeps what was written", async () => {
    const page = await at();
    await page.getByRole("button", { name: "Add a test" }).click();
    await page.keyboard.insertText("7 8");
    await page.getByLabel("Expected output of test 4").fill("15");
    await page.getByRole("button", { name: "Remove test 1" }).click();
    await page.reload();
    expect(await page.getByLabel("Input of test 3").inputValue()).toBe("7 8");
    expect(await page.getByLabel("Expected output of test 3").inputValue()).toBe("15");
    expect(await page.getByLabel("Input of test 4").count()).toBe(0);
  });

  test("gives a link that brings the program to others", async () => {
    const page = await at("", { permissions: ["clipboard-read", "clipboard-write"] });
    await page.getByLabel("Language").selectOption("python3");
    await write(page, "print(sum(map(int, input().split())))  # mine\n");
    await page.getByLabel("CPU, s").fill("2.5");
    await page.getByRole("button", { name: "Link to program" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    const other = await at(new URL(link).hash);
    await other.getByText("# mine").waitFor();
    expect(await other.getByLabel("Language").inputValue()).toBe("python3");
    expect(await other.getByLabel("CPU, s").inputValue()).toBe("2.5");
  });

  test("highlights each of its languages under the policy", async () => {
    const page = await at();
    const languages = { c: "cpp", cpp17: "cpp", python3: "python", java: "java", javascript: "javascript", go: "go", rust: "rust", bash: "shell" };
    for (const [language, syntax] of Object.entries(languages)) {
      await page.getByLabel("Language").selectOption(language);
      // First that it is this one: the colours of the one before stay until its file is there.
      await page.locator(`.cm-content[data-language=${syntax}]`).waitFor();
      await page.waitForFunction(() => {
        const content = document.querySelector(".editor")?.shadowRoot?.querySelector(".cm-content");
        const plain = content && getComputedStyle(content).color;
        return [...(content?.querySelectorAll(".cm-line span[class]") ?? [])].some((s) => getComputedStyle(s).color !== plain);
      }).catch(() => expect.fail(language));
    }
  });
});

describe("the editor", () => {
  test("has lines of one height, one below the other", async () => {
    const page = await at();
    await write(page, "a\nb\nc\n");
    await page.getByText("c", { exact: true }).waitFor();
    const heights = await page.evaluate(() =>
      [...(document.querySelector(".editor")?.shadowRoot?.querySelectorAll(".cm-line") ?? [])].map((e) => e.getBoundingClientRect().height));
    expect(heights.length).toBe(4);
    expect(Math.max(...heights)).toBeLessThan(30);
  });
});

describe("problems", () => {
  const problem = (status: number, more: object) => ({ status, contentType: "application/problem+json", body: JSON.stringify({ status, ...more }) });

  test("say what is wrong and what to do", async () => {
    const page = await at();
    await page.route("**/v1/submissions", (route) => route.fulfill(problem(422, { title: "something in it is wrong", detail: "one field is", errors: [{ field: "tests[0].input", detail: "too long" }] })));
    await page.getByRole("button", { name: "Run", exact: true }).click();
    const card = page.locator(".problem");
    await card.waitFor();
    expect(await card.innerText()).toMatch(/Something in it is wrong\s*422\s*one field is\s*tests\[0\]\.input: too long\s*Correct what it names/);
    await page.unroute("**/v1/submissions");
    await page.route("**/v1/submissions", (route) => route.fulfill(problem(503, { title: "the queue is full", retry_after: 3 })));
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(".problem", { hasText: "Try again in 3 seconds" }).waitFor();
  });

  test("lead to a token where one is needed", async () => {
    const page = await at("#/fleet");
    await page.route("**/v1/fleet", (route) =>
      route.request().headers().authorization === "Bearer secret" ? route.fallback() : route.fulfill(problem(401, { title: "no valid token" })));
    await page.getByRole("button", { name: "Enter a token" }).click();
    await page.getByLabel("Bearer token").fill("secret");
    await page.getByRole("button", { name: "Use it" }).click();
    await page.getByText("live, every 2 s").waitFor();
  });

  test("of the connection do not lose a result", async () => {
    const page = await at();
    let cut = 0;
    await page.route("**/events", (route) => ((cut += 1) <= 2 ? route.abort() : route.continue()));
    await page.getByLabel("Language").selectOption("cpp17");
    await write(page, SUM);
    await judged(page, "Accepted");
    expect(cut).toBeGreaterThan(0);
  });

  test("with an unknown id are told on its page", async () => {
    const page = await at("#/s/nothing-of-the-kind");
    await page.locator(".problem", { hasText: "Results are kept for a limited time" }).waitFor();
  });
});

describe("the submission", () => {
  test("is a page of its own: stages, tests, JSON", async () => {
    const page = await at();
    await page.getByLabel("Language").selectOption("cpp17");
    await write(page, DIFFERENCE);
    await judged(page, "Wrong answer");
    await page.getByRole("link", { name: "Timeline and details" }).click();
    await page.getByRole("heading", { name: "Submission" }).waitFor();
    await page.getByRole("heading", { name: "Wrong answer" }).waitFor();
    const stages = await page.locator(".timeline .stage-name").allInnerTexts();
    expect(stages).toEqual(["Received", "Queued", "Taken by a worker", "Compiled", "Boxes set up", "Run", "Checked", "Judged"]);
    await page.getByText("Raw JSON").click();
    expect(JSON.parse(await page.getByLabel("Raw JSON").innerText())).toMatchObject({ status: "finished", report: { verdict: "WA" } });
    expect(await page.title()).toMatch(/^Submission .* · evalX$/);
    expect(await page.locator(".gauges").innerText()).toMatch(/CPU[\s\S]*of 10 s[\s\S]*of 2[01] s[\s\S]*of 256 MiB/);
    // Whoever gets the link is told by the report what was granted.
    const other = await at(new URL(page.url()).hash);
    await other.getByRole("heading", { name: "Wrong answer" }).waitFor();
    expect(await other.locator(".gauges").innerText()).toMatch(/CPU[\s\S]*of 10 s[\s\S]*of 2[01] s[\s\S]*of 256 MiB/);
  });
});

describe("the fleet", () => {
  test("shows lanes, workers and what is judged", async () => {
    const page = await at("#/fleet");
    await page.getByText("live, every 2 s").waitFor();
    expect(await page.locator(".chart").count()).toBe(3);
    expect(await page.getByRole("region", { name: "Lanes" }).innerText()).toMatch(/high[\s\S]*normal[\s\S]*low/);
    const workers = page.getByRole("region", { name: "Workers" });
    expect(await workers.locator("li").count()).toBeGreaterThan(0);
    expect(await workers.locator("li").first().innerText()).toMatch(/^\S+\s+\d+ of [1-9]\d* slots busy\s+native · \d/);
    // A line needs two measurements.
    await page.waitForFunction(() => /L/.test(document.querySelector(".chart-line")?.getAttribute("d") ?? ""));
  });
});

describe("the workers", () => {
  test("that take nothing or are not heard are told apart", async () => {
    const page = await at("#/fleet");
    const worker = { slots: 4, busy: 1, heard_ms: 300, engine: "native", version: "0.1.0" };
    await page.route("**/v1/fleet", async (route) => {
      const answer = await (await route.fetch()).json();
      answer.workers = 3;
      answer.members = [{ id: "fine", ...worker }, { id: "leaving", ...worker, slots: 0 }, { id: "still", ...worker, heard_ms: 21_000 }];
      answer.verdicts = { AC: 900, WA: 100 };
      answer.languages = { java: { WA: 50, AC: 50 }, cpp17: { AC: 850, WA: 50 } };
      await route.fulfill({ json: answer });
    });
    const row = (id: string) => page.locator(".workers li", { hasText: id });
    await row("still").waitFor();
    expect(await row("fine").innerText()).toMatch(/1 of 4 slots busy\s+native · 0.1.0/);
    expect(await row("leaving").innerText()).toContain("takes nothing new, has 1");
    expect(await row("still").innerText()).toContain("not heard for 21 s");
    expect(await page.locator(".count", { hasText: "Slots busy" }).innerText()).toMatch(/2 of 8/);
    expect(await page.locator(".by-language").innerText()).toMatch(/cpp17\s+900\s+94 % AC\s+java\s+100\s+50 % AC/);
    expect(await page.locator(".legend").innerText()).toMatch(/AC\s+Accepted\s+900\s+90 %\s+WA\s+Wrong answer\s+100\s+10 %/);
  });
});

describe("the API", () => {
  test("shows every route and shape that the server names, by keyboard and by search", async () => {
    const page = await at("#/api");
    await page.getByText(/^\d+ routes, \d+ shapes$/).waitFor();
    const told = await (await fetch(`${inject("url")}/openapi.json`)).json();
    const routes = Object.entries(told.paths).flatMap(([path, of]) => Object.keys(of as object).filter((key) => key !== "servers").map((method) => `${method.toUpperCase()} ${path}`));
    const shown = await page.locator(".route > summary").evaluateAll((all) => all.map((e) => [...e.children].slice(0, 2).map((c) => c.textContent).join(" ")));
    expect(shown.sort()).toEqual(routes.sort());
    expect(await page.locator(".shape > summary code").allInnerTexts()).toEqual(Object.keys(told.components.schemas));

    await page.keyboard.press("/");
    await page.keyboard.insertText("post idempotency-key held");
    await page.getByText(/^1 of \d+ match$/).waitFor();
    const route = page.locator(".route:not([hidden])");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await route.locator(".entry-body").innerText()).toMatch(/Takes\s+wait[\s\S]*in the query[\s\S]*Idempotency-Key[\s\S]*in the header[\s\S]*Body\s+application\/json SubmissionRequest[\s\S]*Answers\s+200[\s\S]*else[\s\S]*Problem/);

    // To what it takes, and from there on.
    await route.getByRole("link", { name: "SubmissionRequest" }).press("Enter");
    const focus = () => page.evaluate(() => document.activeElement?.textContent);
    expect(await focus()).toContain("SubmissionRequest");
    expect(await page.evaluate(() => location.hash)).toBe("#/api/SubmissionRequest");
    expect(await page.locator(".shape[open] .fields").innerText()).toMatch(/language[\s\S]*text[\s\S]*required/);
    await page.getByRole("searchbox").fill("xyzzy");
    await page.getByText("Nothing of that name").waitFor();
    await page.keyboard.press("Escape");
    expect(await page.locator(".entry:not([hidden])").count()).toBe(routes.length + Object.keys(told.components.schemas).length);
  });

  test("has an address for each shape", async () => {
    const page = await at("#/api/Checker");
    await page.locator(".shape[open]").waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("Checker");
    expect(await page.locator(".shape[open]").innerText()).toMatch(/One of[\s\S]*Byte for byte[\s\S]*"exact"[\s\S]*All of Tokens, and/);
    await page.getByRole("button", { name: "Open all" }).click();
    expect(await page.locator(".entry:not([open])").count()).toBe(0);
  });
});

describe("every view", () => {
  test("fits 360 px, in both themes", async () => {
    for (const hash of ["", "#/fleet", "#/s/none", "#/api", "#/api/SubmissionRequest"]) {
      const page = await at(hash, { viewport: { width: 360, height: 740 } });
      await page.locator("h1").first().waitFor({ state: "attached" });
      await page.locator(".editor, .chart, .problem, .book").first().waitFor();
      if (hash.startsWith("#/api")) await page.getByRole("button", { name: "Open all" }).click();
      const theme = page.locator("#theme");
      for (const [press, background] of [[2, "rgb(19, 21, 24)"], [2, "rgb(246, 245, 242)"]] as const) {
        for (let i = 0; i < press; i += 1) await theme.click();
        expect(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)).toBe(background);
      }
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    }
  });

  test("has a name on every control", async () => {
    for (const hash of ["", "#/fleet", "#/api"]) {
      const page = await at(hash);
      await page.locator(".editor, .chart, .book").first().waitFor();
      const nameless = await page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>("button, select, input, textarea, a[href]")]
          .filter((e) => !(e.getAttribute("aria-label") || e.textContent?.trim() || (e as HTMLInputElement).labels?.length))
          .map((e) => e.outerHTML));
      expect(nameless).toEqual([]);
    }
  });

  test("is sent with a policy that allows nothing inline", async () => {
    const response = await fetch(`${inject("url")}/`);
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/default-src 'none'|default-src 'self'/);
    expect(policy).not.toMatch(/unsafe|data:/);
  });
});
