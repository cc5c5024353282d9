// A run on the page: verdict strip, compiler text, tests. Shared by playground and submission.
// Everything is changed in place, so that focus and opened rows survive each event.

import type { Limits, Report, Submission } from "../api";
import { h, put, say } from "../dom";
import * as format from "../format";
import { type Run, done, peak, progress } from "../run";
import * as verdict from "../verdict";
import { TestTable } from "./tests";

/** More cells than that are no picture any more. */
const CELLS = 300;

export class Results {
  readonly root: HTMLElement;
  private readonly code = h("span", { class: "strip-code" });
  private readonly name = h("h2", { class: "strip-name" });
  private readonly note = h("p", { class: "strip-note" });
  private readonly strip: HTMLElement;
  private readonly gauges = { cpu: gauge("CPU"), wall: gauge("Wall"), memory: gauge("Memory") };
  private readonly cells = h("ol", { class: "cells", "aria-label": "Tests" });
  private readonly compiler = h("div");
  private readonly table: TestTable;
  private wroteCompiler = false;
  private opened = false;

  /** `asked`: the limits that were asked for; null where nobody here knows them. */
  constructor(private readonly submission: Submission | undefined, private readonly asked: Required<Limits> | null) {
    this.table = new TestTable(submission);
    this.strip = h("div", { class: "strip" },
      h("div", { class: "strip-verdict" }, this.code, h("div", {}, this.name, this.note)),
      h("div", { class: "gauges" }, this.gauges.cpu.root, this.gauges.wall.root, this.gauges.memory.root),
      this.cells);
    this.root = h("section", { class: "results", "aria-label": "Result" }, this.strip, this.compiler, this.table.root);
  }

  show(run: Run): void {
    this.head(run);
    const use = peak(run.tests);
    const { cpu, wall, memory } = this.gauges;
    const any = done(run) > 0;
    // What was granted is in the report; until there is one, what was asked for is the best guess.
    const limits = run.view.report?.limits ?? this.asked;
    cpu.set(any ? use.cpu_ms : null, limits?.cpu_ms, format.ms);
    wall.set(any ? use.wall_ms : null, limits?.wall_ms, format.ms);
    memory.set(any ? use.memory_bytes : null, limits?.memory_bytes, format.bytes);
    this.drawCells(run);
    this.writeCompiler(run);
    this.table.show(run);
    this.openOne(run);
  }

  /** Without expected answers nothing was compared. */
  private get plain(): boolean {
    return !!this.submission && this.submission.tests.every((t) => t.answer === undefined);
  }

  private head(run: Run): void {
    const { view } = run;
    const set = (code: string, tone: string, name: string, note: string) => {
      this.strip.dataset.tone = tone;
      say(this.code, code);
      say(this.name, name);
      say(this.note, note);
    };
    switch (view.status) {
      case "queued": return set("…", "wait", "Queued", "Waits for a free worker.");
      case "running": return set("…", "wait", done(run) > 0 ? "Running" : "Compiling", `${progress(run)} over.`);
      case "retrying": return set("…", "wait", "Waits for another attempt", "A worker failed or went away; nothing is lost.");
      case "refused": return set("!", "fault", "Refused", [view.refusal?.field, view.refusal?.reason].filter(Boolean).join(": "));
      case "failed": return set("IE", "fault", "Given up", `${view.error ?? "Every attempt failed"}. This says nothing about the program.`);
      case "cancelled": return set("–", "skip", "Cancelled", "It was called off before it was judged.");
      case "finished":
        if (view.report) this.verdict(view.report, set);
    }
  }

  private verdict(report: Report, set: (code: string, tone: string, name: string, note: string) => void): void {
    const { verdict: code, tests, first_failure: first } = report;
    const ran = this.plain && code === "AC";
    const { name, tone, means } = this.plain ? verdict.plainRun(code) : verdict.words(code);
    const notes = [report.error ?? means];
    if (!this.plain && code !== "CE" && tests.length > 0) {
      notes.push(`${tests.filter((t) => t.verdict === "AC").length} of ${tests.length} tests passed.`);
      if (first !== null) notes.push(`First failure: test ${tests[first]?.name ?? first + 1}.`);
    }
    set(ran ? "OK" : code, tone, name, notes.join(" "));
  }

  private drawCells(run: Run): void {
    const count = run.total ?? run.tests.length;
    const wanted = count <= CELLS && count > 1 ? count : 0;
    this.cells.hidden = wanted === 0;
    while (this.cells.children.length > wanted) this.cells.lastChild?.remove();
    for (let i = this.cells.children.length; i < wanted; i += 1) {
      this.cells.append(h("li", {}, h("button", { type: "button", onclick: () => this.table.reveal(i) }, String(i + 1))));
    }
    run.tests.slice(0, wanted).forEach((test, i) => {
      const button = this.cells.children[i]?.firstElementChild as HTMLElement | null;
      if (!test || !button) return;
      button.dataset.tone = verdict.words(test.verdict).tone;
      button.setAttribute("aria-label", `Test ${test.name}: ${verdict.words(test.verdict).name}`);
      button.title = `${test.name}: ${test.verdict}`;
    });
  }

  private writeCompiler(run: Run): void {
    const compile = run.view.report?.compile;
    if (!compile || this.wroteCompiler) return;
    this.wroteCompiler = true;
    const { text } = format.text(compile.output);
    const how = compile.cached ? "from the cache" : `${format.ms(compile.cpu_ms)} CPU, ${format.bytes(compile.memory_bytes)}`;
    const summary = compile.ok ? `Compiled, ${how}` : `Compiler: ${compile.status}`;
    if (text === "") {
      put(this.compiler, h("p", { class: "line" }, `${summary}. The compiler said nothing.`));
      return;
    }
    put(this.compiler, h("details", { class: "compiler", open: !compile.ok },
      h("summary", {}, `${summary}. What it said`),
      h("pre", { class: "output", tabindex: 0, "aria-label": "Compiler output" }, text),
      compile.output_truncated && h("p", { class: "line" }, "There was more; it was cut here.")));
  }

  /** What the user wants to see first: the first failure, or the output of a plain run. */
  private openOne(run: Run): void {
    const { report } = run.view;
    if (!report || this.opened) return;
    this.opened = true;
    const index = report.first_failure ?? (run.tests.length === 1 ? 0 : null);
    if (index !== null && report.verdict !== "CE") this.table.open(index);
  }
}

function gauge(label: string) {
  const value = h("span", { class: "gauge-value" }, "–");
  const limit = h("span", { class: "gauge-limit" });
  const bar = h("span", { class: "gauge-bar" }, h("i"));
  const root = h("div", { class: "gauge" }, h("span", { class: "gauge-label" }, label), value, limit, bar);
  return {
    root,
    /** Without a known limit it is a figure and no share of anything. */
    set(used: number | null, most: number | undefined, write: (n: number) => string) {
      const share = most === undefined ? 0 : Math.min((used ?? 0) / most, 1);
      say(value, used === null ? "–" : write(used));
      say(limit, most === undefined ? "" : `of ${write(most)}`);
      bar.hidden = most === undefined;
      bar.style.setProperty("--share", String(share));
      root.dataset.level = share >= 0.999 ? "full" : share > 0.8 ? "high" : "fine";
    },
  };
}
