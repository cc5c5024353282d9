// The table of tests. Each row opens to what went in, what came out and what was expected.

import type { Submission, TestReport } from "../api";
import { freshId, h, put, say } from "../dom";
import * as format from "../format";
import type { Run } from "../run";
import * as verdict from "../verdict";

/** Rows that are made at once; a submission may have thousands. */
const PAGE = 200;

interface Row {
  report: TestReport;
  head: HTMLTableRowElement;
  toggle: HTMLButtonElement;
  detail: HTMLTableRowElement;
}

export class TestTable {
  readonly root: HTMLElement;
  private readonly body = h("tbody");
  private readonly more = h("button", { type: "button", hidden: true, onclick: () => this.showMore() });
  private readonly rows: (Row | undefined)[] = [];
  private readonly openRows = new Set<number>();
  private run: Run | null = null;
  private shown = PAGE;

  constructor(private readonly submission: Submission | undefined) {
    const heads = ["Test", "Verdict", "CPU", "Wall", "Memory", "How it ended"];
    const classes = ["", "", "num", "num wide", "num", "wide"];
    this.root = h("div", { class: "tests", hidden: true },
      h("table", {},
        h("caption", { class: "hidden" }, "Tests"),
        h("thead", {}, h("tr", {}, ...heads.map((name, i) => h("th", { scope: "col", class: classes[i] || null }, name)))),
        this.body),
      this.more);
  }

  show(run: Run): void {
    this.run = run;
    const tests = run.tests.slice(0, this.shown);
    tests.forEach((report, index) => {
      if (report && this.rows[index]?.report !== report) this.place(index, report);
    });
    this.root.hidden = !this.rows.some(Boolean);
    const left = run.tests.length - this.shown;
    this.more.hidden = left <= 0;
    say(this.more, `Show ${Math.min(left, PAGE)} more of ${left}`);
  }

  open(index: number): void {
    this.openRows.add(index);
    this.reflect(index);
  }

  /** Opens it, brings it into sight and puts the focus there. */
  reveal(index: number): void {
    while (index >= this.shown && !this.more.hidden) this.showMore();
    const row = this.rows[index];
    if (!row) return;
    this.open(index);
    row.head.scrollIntoView({ block: "nearest" });
    row.toggle.focus();
  }

  private showMore(): void {
    this.shown += PAGE;
    if (this.run) this.show(this.run);
  }

  private place(index: number, report: TestReport): void {
    const old = this.rows[index];
    const focused = !!old && document.activeElement === old.toggle;
    const row = this.make(index, report);
    this.rows[index] = row;
    if (old) {
      old.head.replaceWith(row.head);
      old.detail.replaceWith(row.detail);
    } else {
      // Tests end in any order; the table is in theirs.
      const next = this.rows.find((r, i) => r && i > index);
      this.body.insertBefore(row.head, next?.head ?? null);
      this.body.insertBefore(row.detail, next?.head ?? null);
    }
    this.reflect(index);
    if (focused) row.toggle.focus();
  }

  private make(index: number, report: TestReport): Row {
    const said = verdict.words(report.verdict);
    const id = freshId();
    const ran = report.verdict !== "SKIPPED";
    const toggle = h("button", { type: "button", class: "toggle", "aria-controls": id, onclick: () => this.flip(index) }, report.name);
    const head = h("tr", {},
      h("th", { scope: "row" }, toggle),
      h("td", {}, h("span", { class: "tag", "data-tone": said.tone }, report.verdict), h("span", { class: "tag-name wide" }, said.name)),
      h("td", { class: "num" }, ran ? format.ms(report.cpu_ms) : "–"),
      h("td", { class: "num wide" }, ran ? format.ms(report.wall_ms) : "–"),
      h("td", { class: "num" }, ran ? format.bytes(report.memory_bytes) : "–"),
      h("td", { class: "wide faint" }, report.status ?? (ran ? "exited with 0" : "not run")));
    const detail = h("tr", { class: "detail", id, hidden: true });
    return { report, head, toggle, detail };
  }

  private flip(index: number): void {
    if (!this.openRows.delete(index)) this.openRows.add(index);
    this.reflect(index);
  }

  private reflect(index: number): void {
    const row = this.rows[index];
    if (!row) return;
    const open = this.openRows.has(index);
    row.toggle.setAttribute("aria-expanded", String(open));
    row.detail.hidden = !open;
    // Made when it is first seen: streams of thousands of tests are much text.
    if (open && !row.detail.firstChild) put(row.detail, h("td", { colspan: 6 }, this.detail(index, row.report)));
  }

  private detail(index: number, report: TestReport): HTMLElement {
    const test = this.submission?.tests[index];
    const { set_up_ms, run_ms, check_ms } = report.times;
    const stages = `Set up ${format.ms(set_up_ms)} · run ${format.ms(run_ms)} · check ${format.ms(check_ms)}`;
    return h("div", { class: "test-detail" },
      report.message && h("p", { class: "message" }, report.message),
      report.team_message && h("p", { class: "message" }, report.team_message),
      report.again && h("p", { class: "line" }, format.again(report.again)),
      h("div", { class: "panes" },
        test && pane("Input", test.input, false),
        test?.answer !== undefined && pane("Expected", test.answer, false),
        pane("Printed", report.stdout, report.stdout_truncated),
        (report.stderr !== "" || report.stderr_truncated) && pane("Standard error", report.stderr, report.stderr_truncated)),
      h("p", { class: "line" }, stages));
  }
}

function pane(title: string, blob: string | { base64: string }, cut: boolean): HTMLElement {
  const { text, binary } = format.text(blob);
  return h("figure", { class: "pane" },
    h("figcaption", {}, title, binary && " (not text)", cut && " (cut)"),
    text === "" ? h("p", { class: "nothing" }, "nothing") : h("pre", { class: "output", tabindex: 0, "aria-label": title }, text));
}
