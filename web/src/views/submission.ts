// One submission: where it has been, what came out, and the JSON of it.

import { type SubmissionView, isOver } from "../api";
import { h, put } from "../dom";
import { granted } from "../draft";
import { follow } from "../follow";
import * as format from "../format";
import { recall, watch } from "../recent";
import { type Run, begin, complete, spoken } from "../run";
import { timeline } from "../timeline";
import { words } from "../verdict";
import { Results } from "./results";
import { type Context, type View, copy, loading, problemCard } from "./view";

export function open(id: string, context: Context): View {
  const stop = new AbortController();
  const content = h("div", { class: "stack" }, loading("the submission"));
  const link = h("button", { type: "button", class: "quiet", onclick: () => void copy(link, location.href) }, "Copy link");
  const root = h("div", { class: "page" },
    h("div", { class: "page-head" }, h("h1", {}, "Submission"), h("code", { class: "id" }, id), link),
    content);
  const load = async () => {
    put(content, loading("the submission"));
    try {
      const view = await context.api.submission(id, stop.signal);
      await live(view, content, context, stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) put(content, problemCard(error, context, () => void load()));
    }
  };
  void load();
  return { title: `Submission ${id}`, root, close: () => stop.abort() };
}

async function live(view: SubmissionView, content: HTMLElement, context: Context, signal: AbortSignal): Promise<void> {
  const sent = recall(view.id);
  // Before there is a report, limits are known where the submission was handed in by this browser.
  const results = new Results(sent?.submission, sent ? granted(sent.submission.limits) : null);
  const facts = h("dl", { class: "facts" });
  const stages = h("ol", { class: "timeline" });
  const raw = h("pre", { class: "output", tabindex: 0, "aria-label": "Raw JSON" });
  const cancel = h("button", { type: "button", onclick: () => void callOff() }, "Cancel");
  const failed = h("div");
  const callOff = async () => {
    cancel.disabled = true;
    try {
      await context.api.cancel(view.id);
    } catch (error) {
      cancel.disabled = false;
      put(failed, problemCard(error, context));
    }
  };
  const edit = sent && h("a", { class: "button", href: `#/edit/${encodeURIComponent(view.id)}` }, "Open in the playground");
  put(content,
    failed,
    results.root,
    h("div", { class: "columns" },
      h("section", { class: "card", "aria-label": "Timeline" }, h("h2", {}, "Timeline"), stages),
      h("section", { class: "card", "aria-label": "Facts" }, h("h2", {}, "Facts"), facts, h("div", { class: "row" }, edit, cancel))),
    h("details", { class: "card raw" }, h("summary", {}, "Raw JSON"), raw));
  const show = (run: Run) => {
    watch(run, Date.now());
    results.show(run);
    cancel.hidden = isOver(run.view.status);
    put(stages, ...timeline(run, sent).map(stage));
    put(facts, ...describe(run));
    raw.textContent = JSON.stringify(run.view, null, 2);
    context.say(spoken(run, (report) => words(report.verdict).name));
  };
  const start = begin(view, sent?.submission.tests.length ?? null);
  show(start);
  if (!complete(start)) await follow(context.api, start, show, signal);
}

function stage({ name, note, ms, share, state }: ReturnType<typeof timeline>[number]): HTMLElement {
  const bar = h("span", { class: "stage-bar" });
  bar.style.setProperty("--share", String(share));
  return h("li", { "data-state": state },
    h("span", { class: "stage-name" }, name),
    h("span", { class: "stage-ms" }, ms === null ? "" : format.ms(ms)),
    h("span", { class: "stage-note" }, note),
    ms !== null && bar);
}

function describe({ view }: Run): HTMLElement[] {
  const { report } = view;
  const facts: [string, string | undefined][] = [
    ["Language", report?.language],
    ["Toolchain", report?.toolchain],
    ["Engine", report?.engine],
    ["Score", report && report.score !== null ? String(Number(report.score.toFixed(4))) : undefined],
    ["Lane", view.lane],
    ["Attempts", String(view.attempts)],
    ["Tags", view.tags?.join(", ") || undefined],
  ];
  return facts.flatMap(([name, value]) => (value ? [h("dt", {}, name), h("dd", {}, value)] : []));
}
