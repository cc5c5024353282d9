// The fleet: what waits, for how long, who works, and what comes out.

import type { Fleet, Lane, Verdicts, Worker } from "../api";
import { History, niceTop, paths } from "../chart";
import { h, put, say, svg } from "../dom";
import * as format from "../format";
import { CODES, words } from "../verdict";
import { LineChart } from "./linechart";
import { type Context, type View, emptyState, loading, problemCard } from "./view";

const SPAN = 10 * 60_000;
const EVERY = 2000;

/** Outlives the view: going to the playground and back loses nothing. */
const histories = new Map<string, History>();

function history(name: string): History {
  let known = histories.get(name);
  if (!known) histories.set(name, (known = new History(SPAN)));
  return known;
}

export function open(context: Context): View {
  const stop = new AbortController();
  const content = h("div", { class: "stack" }, loading("the fleet"));
  const fresh = h("span", { class: "faint" });
  const root = h("div", { class: "page" }, h("div", { class: "page-head" }, h("h1", {}, "Fleet"), fresh), content);
  const board = new Board();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failed = false;
  const tick = async () => {
    clearTimeout(timer);
    try {
      // Nobody looks: the server is left alone.
      if (!document.hidden) {
        const fleet = await context.api.fleet(stop.signal);
        if (failed || !board.root.isConnected) put(content, board.root);
        failed = false;
        board.show(fleet, Date.now());
        say(fresh, "live, every 2 s");
      }
    } catch (error) {
      if (stop.signal.aborted) return;
      board.missed(Date.now());
      say(fresh, "no answer; trying again every 2 s");
      // Said once, not every two seconds.
      if (!failed) put(content, problemCard(error, context, () => void tick()), board.any && board.root);
      failed = true;
    }
    if (!stop.signal.aborted) timer = setTimeout(() => void tick(), EVERY);
  };
  const seen = () => void (document.hidden || tick());
  document.addEventListener("visibilitychange", seen, { signal: stop.signal });
  void tick();
  return {
    title: "Fleet",
    root,
    close() {
      stop.abort();
      clearTimeout(timer);
    },
  };
}

class Board {
  any = false;
  private readonly depth = new LineChart("Waiting", "submissions waiting", format.count, 10, SPAN);
  private readonly oldest = new LineChart("Oldest waits for", "age of the oldest", format.ms, 1000, SPAN);
  private readonly rate = new LineChart("Judged a second", "submissions judged a second", (n) => format.count(Math.round(n * 10) / 10), 1, SPAN);
  private readonly lanes = h("tbody");
  private readonly workers = h("div");
  private readonly mix = h("div");
  private readonly mixTitle = h("h2");
  private readonly counts = h("dl", { class: "counts" });
  private previous: { at: number; finished: number } | null = null;
  readonly root = h("div", { class: "stack" },
    h("div", { class: "charts" }, this.depth.root, this.oldest.root, this.rate.root),
    this.counts,
    h("div", { class: "columns" },
      h("section", { class: "card", "aria-label": "Lanes" }, h("h2", {}, "Lanes"),
        h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Lane"), h("th", { scope: "col", class: "spark" }, "10 min"), h("th", { scope: "col", class: "num" }, "Waiting"), h("th", { scope: "col", class: "num" }, "Oldest"))), this.lanes)),
      h("section", { class: "card", "aria-label": "Results" }, this.mixTitle, this.mix)),
    h("section", { class: "card", "aria-label": "Workers" }, h("h2", {}, "Workers"), this.workers));

  show(fleet: Fleet, now: number): void {
    this.any = true;
    const lanes = Object.entries(fleet.lanes).sort(([a], [b]) => rank(a) - rank(b));
    const depth = lanes.reduce((sum, [, lane]) => sum + lane.depth, 0);
    const oldest = Math.max(0, ...lanes.map(([, lane]) => lane.oldest_ms ?? 0));
    this.draw(now, depth, oldest, this.perSecond(fleet, now));
    put(this.lanes, ...lanes.map(([name, lane]) => laneRow(name, lane, now)));
    put(this.workers, workers(fleet));
    say(this.mixTitle, fleet.verdicts ? "Verdicts of the last hour" : "How they ended");
    put(this.mix, fleet.verdicts ? mixed(fleet.verdicts, fleet.languages ?? {}) : outcomes(fleet.totals));
    const members = fleet.members ?? [];
    const slots = members.reduce((sum, w) => sum + w.slots, 0);
    // Of one that takes nothing new, what it still has is in no slot that is counted.
    const busy = members.reduce((sum, w) => sum + Math.min(w.busy, w.slots), 0);
    put(this.counts, ...figure("Workers", format.count(fleet.workers), fleet.workers === 0),
      ...(slots > 0 ? figure("Slots busy", `${format.count(busy)} of ${format.count(slots)}`) : figure("Running", format.count(fleet.running))),
      ...figure("To be tried again", format.count(fleet.delayed)),
      ...figure("Given up", format.count(fleet.dead), fleet.dead > 0));
  }

  missed(now: number): void {
    this.previous = null;
    this.draw(now, null, null, null);
  }

  private draw(now: number, depth: number | null, oldest: number | null, rate: number | null): void {
    for (const [chart, name, value] of [[this.depth, "depth", depth], [this.oldest, "oldest", oldest], [this.rate, "rate", rate]] as const) {
      history(name).push(now, value);
      chart.show(history(name).all(), now);
    }
  }

  /** Null where two answers in a row are not there yet. */
  private perSecond(fleet: Fleet, now: number): number | null {
    const { finished } = fleet.totals;
    if (finished === undefined) return null;
    const before = this.previous;
    this.previous = { at: now, finished };
    // Less than before: the counter began anew.
    if (!before || finished < before.finished || now <= before.at) return null;
    return ((finished - before.finished) * 1000) / (now - before.at);
  }
}

/** In the order of their urgency. */
function rank(lane: string): number {
  const at = ["high", "normal", "low", "internal"].indexOf(lane);
  return at < 0 ? 9 : at;
}

function laneRow(lane: string, { depth, oldest_ms }: Lane, now: number): HTMLElement {
  const past = history(`lane ${lane}`);
  past.push(now, depth);
  const frame = { width: 100, height: 22, until: now, span: SPAN, top: niceTop(past.all(), 10) };
  const { line, area } = paths(past.all(), frame);
  return h("tr", {}, h("th", { scope: "row" }, lane),
    h("td", { class: "spark", "aria-hidden": "true" },
      svg("svg", { viewBox: "0 0 100 22", preserveAspectRatio: "none" }, svg("path", { class: "chart-area", d: area }), svg("path", { class: "chart-line", d: line }))),
    h("td", { class: "num" }, format.count(depth)),
    h("td", { class: "num" }, oldest_ms === undefined ? "–" : format.ms(oldest_ms)));
}

/** More pips than that are no picture any more. */
const PIPS = 64;

/** More rows than that are drawn again every two seconds for nobody. */
const ROWS = 200;

/** They speak every few seconds; who is quiet for longer may be gone. */
const QUIET = 10_000;

function workers({ workers, members }: Fleet): HTMLElement {
  if (workers === 0) return emptyState("No worker is there", "Submissions are kept until one comes. Start one with: evalx worker");
  if (!members || members.length === 0) return h("p", {}, workers === 1 ? "One worker is alive." : `${format.count(workers)} workers are alive.`);
  const more = Math.max(workers, members.length) - ROWS;
  return h("div", {},
    h("ul", { class: "workers" }, ...members.slice(0, ROWS).map(workerRow)),
    more > 0 && h("p", { class: "line" }, `And ${format.count(more)} more.`));
}

function workerRow({ id, slots, busy, heard_ms = 0, engine, version }: Worker): HTMLElement {
  const load = slots > 0 ? `${busy} of ${slots} slots busy` : busy > 0 ? `takes nothing new, has ${busy}` : "takes nothing";
  const pips = slots <= PIPS && h("span", { class: "pips", "aria-hidden": "true" },
    ...Array.from({ length: slots }, (_, i) => h("i", { class: i < busy ? "on" : null })));
  return h("li", {},
    h("span", { class: "worker-name" }, id),
    pips,
    h("span", { class: "worker-busy" }, load),
    h("span", { class: heard_ms > QUIET ? "quiet-for" : "faint" },
      [heard_ms > QUIET && `not heard for ${format.ms(heard_ms)}`, engine, version].filter(Boolean).join(" · ")));
}

type Part = { code: (typeof CODES)[number]; n: number };

function parted(verdicts: Verdicts): { parts: Part[]; total: number } {
  const parts = CODES.map((code) => ({ code, n: verdicts[code] ?? 0 })).filter(({ n }) => n > 0);
  return { parts, total: parts.reduce((sum, { n }) => sum + n, 0) };
}

function mixBar(parts: Part[]): HTMLElement {
  return h("div", { class: "mix", "aria-hidden": "true" }, ...parts.map(({ code, n }) => {
    const part = h("i", { "data-tone": words(code).tone, title: `${words(code).name}: ${n}` });
    part.style.setProperty("flex-grow", String(n));
    return part;
  }));
}

/** More rows than that are for the API. */
const LANGUAGES = 8;

function byLanguage(languages: Record<string, Verdicts>): HTMLElement {
  const rows = Object.entries(languages).map(([language, verdicts]) => ({ language, ...parted(verdicts) }));
  rows.sort((a, b) => b.total - a.total || a.language.localeCompare(b.language));
  return h("table", { class: "by-language" },
    h("caption", { class: "hidden" }, "Verdicts by language"),
    h("tbody", {}, ...rows.slice(0, LANGUAGES).map(({ language, parts, total }) => {
      const accepted = parts.find(({ code }) => code === "AC")?.n ?? 0;
      return h("tr", {}, h("th", { scope: "row" }, language), h("td", { class: "wide" }, mixBar(parts)),
        h("td", { class: "num" }, format.count(total)), h("td", { class: "num faint" }, `${format.percent(accepted, total)} AC`));
    })));
}

function mixed(verdicts: Verdicts, languages: Record<string, Verdicts>): HTMLElement {
  const { parts, total } = parted(verdicts);
  if (total === 0) return emptyState("No verdict yet", "What is judged from now on is counted here.");
  return h("div", {}, mixBar(parts), h("ul", { class: "legend" }, ...parts.map(({ code, n }) =>
    h("li", {}, h("span", { class: "tag", "data-tone": words(code).tone }, code), h("span", { class: "legend-name" }, words(code).name),
      h("span", { class: "num" }, format.count(n)), h("span", { class: "faint num" }, format.percent(n, total))))), byLanguage(languages));
}

/** Where verdicts are not counted: how submissions ended. */
function outcomes(totals: Fleet["totals"]): HTMLElement {
  const names: [string, string][] = [["finished", "Judged"], ["cancelled", "Cancelled"], ["dead", "Given up"], ["retried", "Attempts repeated"], ["expired", "Taken from dead workers"]];
  return h("table", {}, h("tbody", {}, ...names.map(([key, name]) =>
    h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "num" }, format.count(totals[key] ?? 0))))));
}

function figure(name: string, value: string, alarm = false): HTMLElement[] {
  return [h("div", { class: alarm ? "count alarm" : "count" }, h("dt", {}, name), h("dd", {}, value))];
}
