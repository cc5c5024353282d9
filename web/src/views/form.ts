// The form beside the editor: an input or tests, checker, limits.

import type { Draft } from "../draft";
import { h, put, say } from "../dom";

interface TestRow {
  root: HTMLElement;
  input: HTMLTextAreaElement;
  answer: HTMLTextAreaElement;
}

export class Form {
  readonly root: HTMLElement;
  private readonly stdin: HTMLTextAreaElement;
  private readonly list = h("ol", { class: "test-list" });
  private tests: TestRow[] = [];
  private mode: Draft["mode"];
  private readonly checker: HTMLSelectElement;
  private readonly stop: HTMLInputElement;
  private readonly cpu: HTMLInputElement;
  private readonly wall: HTMLInputElement;
  private readonly memory: HTMLInputElement;

  constructor(start: Draft, private readonly change: () => void) {
    this.mode = start.mode;
    this.stdin = area(start.stdin, "Input", 7, change);
    this.checker = h("select", { id: "checker", onchange: change },
      h("option", { value: "lines" }, "line by line"),
      h("option", { value: "tokens" }, "word by word"),
      h("option", { value: "exact" }, "byte for byte"));
    this.checker.value = start.checker;
    this.stop = h("input", { type: "checkbox", id: "stop", onchange: change });
    this.stop.checked = start.stopAtFirst;
    this.cpu = number("cpu", start.cpuSeconds, "10", change);
    this.wall = number("wall", start.wallSeconds, "2 × CPU + 1", change);
    this.memory = number("memory", start.memoryMiB, "256", change);
    for (const test of start.tests) this.add(test.input, test.answer);
    const panels = {
      tests: h("div", { class: "panel" },
        this.list,
        h("div", { class: "row" },
          h("button", { type: "button", onclick: () => this.addByHand() }, "Add a test"),
          h("label", { class: "inline", for: "checker" }, "Compare ", this.checker),
          h("label", { class: "inline", for: "stop" }, this.stop, " Stop at the first failure"))),
      stdin: h("div", { class: "panel" }, this.stdin, h("p", { class: "hint" }, "One run on this input; what it prints is shown, nothing is compared.")),
    };
    const limits = h("fieldset", { class: "limits" },
      h("legend", {}, "Limits of each test"),
      h("label", { for: "cpu" }, h("span", {}, "CPU, s"), this.cpu),
      h("label", { for: "wall" }, h("span", {}, "Wall, s"), this.wall),
      h("label", { for: "memory" }, h("span", {}, "Memory, MiB"), this.memory));
    this.root = h("div", { class: "form" }, this.choice(panels), panels.tests, panels.stdin, limits);
  }

  read(language: string, code: string): Draft {
    return {
      language,
      code,
      mode: this.mode,
      stdin: this.stdin.value,
      tests: this.tests.map(({ input, answer }) => ({ input: input.value, answer: answer.value })),
      cpuSeconds: value(this.cpu),
      wallSeconds: value(this.wall),
      memoryMiB: value(this.memory),
      checker: this.checker.value as Draft["checker"],
      stopAtFirst: this.stop.checked,
    };
  }

  /** Radio buttons, so that arrow keys and what is chosen are the browser's business. */
  private choice(panels: Record<Draft["mode"], HTMLElement>): HTMLElement {
    const show = () => {
      for (const [mode, panel] of Object.entries(panels)) panel.hidden = mode !== this.mode;
    };
    show();
    const radio = (mode: Draft["mode"], label: string) => {
      const input = h("input", { type: "radio", name: "mode", value: mode, id: `mode-${mode}`, onchange: () => {
        this.mode = mode;
        show();
        this.change();
      } });
      input.checked = mode === this.mode;
      return h("label", { for: `mode-${mode}` }, input, h("span", {}, label));
    };
    return h("fieldset", { class: "segmented" }, h("legend", { class: "hidden" }, "What to run on"),
      radio("tests", "Tests"), radio("stdin", "One input"));
  }

  private addByHand(): void {
    this.add("", "").input.focus();
    this.change();
  }

  private add(input: string, answer: string): TestRow {
    const title = h("span", { class: "test-number" });
    const row: TestRow = {
      root: h("li", {}),
      input: area(input, "Input", 2, this.change),
      answer: area(answer, "Expected", 2, this.change),
    };
    const remove = h("button", { type: "button", class: "quiet remove", title: "Remove", onclick: () => this.remove(row) }, "✕");
    put(row.root, title,
      h("label", {}, h("span", { class: "label" }, "Input"), row.input),
      h("label", {}, h("span", { class: "label" }, "Expected"), row.answer),
      remove);
    this.tests.push(row);
    this.list.append(row.root);
    this.renumber();
    return row;
  }

  private remove(row: TestRow): void {
    const index = this.tests.indexOf(row);
    this.tests.splice(index, 1);
    row.root.remove();
    this.renumber();
    this.change();
    // The focus was on the button that is gone.
    const next = this.tests[Math.min(index, this.tests.length - 1)];
    (next?.input ?? this.root.querySelector<HTMLElement>(".panel:not([hidden]) button"))?.focus();
  }

  private renumber(): void {
    this.tests.forEach(({ root, input, answer }, i) => {
      const title = root.querySelector(".test-number");
      if (title) say(title, String(i + 1));
      input.setAttribute("aria-label", `Input of test ${i + 1}`);
      answer.setAttribute("aria-label", `Expected output of test ${i + 1}`);
      root.querySelector(".remove")?.setAttribute("aria-label", `Remove test ${i + 1}`);
    });
  }
}

function area(text: string, label: string, rows: number, change: () => void): HTMLTextAreaElement {
  const element = h("textarea", { rows, "aria-label": label, spellcheck: "false", autocapitalize: "off", oninput: change });
  element.value = text;
  return element;
}

function number(id: string, start: number | null, placeholder: string, change: () => void): HTMLInputElement {
  const element = h("input", { type: "number", id, min: "0", step: "any", placeholder, inputmode: "decimal", oninput: change });
  element.value = start === null ? "" : String(start);
  return element;
}

function value(input: HTMLInputElement): number | null {
  return input.value.trim() === "" ? null : Number(input.value);
}
