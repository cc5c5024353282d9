// The playground: a program, its tests and limits, and what becomes of them.

import type { Language } from "../api";
import { type Draft, compose, empty, fault, granted, restore } from "../draft";
import { h, put, say } from "../dom";
import { Editor } from "../editor";
import { follow } from "../follow";
import * as languages from "../languages";
import { pack, toSubmission, unpack } from "../permalink";
import { recall, remember, watch } from "../recent";
import { type Run, begin, spoken } from "../run";
import * as store from "../store";
import { plainRun, words } from "../verdict";
import { Form } from "./form";
import { Results } from "./results";
import { type Context, type View, copy, emptyState, loading, problemCard } from "./view";

export interface Start {
  /** A program from a link. */
  program: string | null;
  /** The id of a submission to edit. */
  from: string | null;
}

export function open(start: Start, context: Context): View {
  const root = h("div", { class: "playground" }, loading("the playground"));
  const stop = new AbortController();
  let playground: Playground | null = null;
  const load = async () => {
    put(root, loading("the playground"));
    try {
      const [list, draft] = await Promise.all([context.api.languages(stop.signal), initial(start, context)]);
      if (stop.signal.aborted) return;
      playground = new Playground(list.filter((l) => l.available !== false), draft, context, stop.signal);
      put(root, h("h1", { class: "hidden" }, "Playground"), ...playground.parts);
    } catch (error) {
      if (!stop.signal.aborted) put(root, problemCard(error, context, () => void load()));
    }
  };
  void load();
  return {
    title: "Playground",
    root,
    close() {
      stop.abort();
      playground?.close();
    },
  };
}

/** From the link, else as it was left, else null: the sample of a language that is there. */
async function initial({ program, from }: Start, context: Context): Promise<Draft | null> {
  if (program !== null) {
    const submission = await unpack(program);
    if (submission) return restore(submission);
    context.say("The link is damaged; this is a new program.");
  }
  if (from !== null) {
    const sent = recall(from);
    if (sent) return restore(sent.submission);
  }
  try {
    const kept = JSON.parse(store.draft.get() ?? "null") as Draft | null;
    return kept && { ...empty(kept.language, kept.code), ...kept };
  } catch {
    return null;
  }
}

class Playground {
  readonly parts: HTMLElement[];
  private readonly editor: Editor;
  private readonly form: Form;
  private readonly select: HTMLSelectElement;
  private readonly runButton = h("button", { type: "button", class: "primary", id: "run", onclick: () => void this.run() });
  private readonly cancelButton = h("button", { type: "button", hidden: true, onclick: () => void this.cancel() }, "Cancel");
  private readonly share = h("button", { type: "button", class: "quiet", onclick: () => void this.link() }, "Link to program");
  private readonly version = h("span", { class: "faint version" });
  private readonly complaint = h("p", { class: "complaint", role: "alert" });
  private readonly output = h("div", { class: "output-area" });
  private running: { id: string | null; stop: AbortController } | null = null;

  constructor(private readonly list: Language[], draft: Draft | null, private readonly context: Context, private readonly closed: AbortSignal) {
    const first = languages.favourite(list.map((l) => l.id));
    const start = draft ?? empty(first, languages.sample(first));
    this.select = h("select", { id: "language", onchange: () => this.changeLanguage() },
      ...list.map((l) => h("option", { value: l.id }, l.name)));
    this.editor = new Editor("Program", "Tab indents. Escape, then Tab leaves the editor. Control or Command and Enter runs the program.",
      () => void this.run(), () => this.keep());
    this.form = new Form(start, () => this.keep());
    this.select.value = this.resolve(start.language) ?? first;
    this.editor.text = start.code;
    this.reflectLanguage();
    this.idle();
    put(this.output, list.length === 0
      ? emptyState("No language is installed", "No toolchain was found on the workers. On each of them, scripts/toolchains core installs some.")
      : emptyState("Nothing has run yet", "Run the program: it is compiled once, then every test runs in a box of its own. Verdict, CPU time and memory appear here as they come."));
    const toolbar = h("div", { class: "toolbar" },
      h("label", { class: "hidden", for: "language" }, "Language"), this.select, this.version,
      h("div", { class: "toolbar-end" }, this.share));
    const actions = h("div", { class: "actions" }, this.runButton, this.cancelButton, this.complaint,
      h("span", { class: "faint keys" }, h("kbd", {}, "Ctrl"), " + ", h("kbd", {}, "Enter")));
    this.parts = [
      h("section", { class: "card code-card", "aria-label": "Program" }, toolbar, this.editor.root),
      h("section", { class: "card form-card", "aria-label": "Tests and limits" }, this.form.root, actions),
      this.output,
    ];
  }

  close(): void {
    this.running?.stop.abort();
    this.editor.close();
  }

  /** Other names of a language, like Judge0's numbers, are fine in links. */
  private resolve(id: string): string | undefined {
    return this.list.find((l) => l.id === id || l.aliases.includes(id))?.id;
  }

  private draft(): Draft {
    return this.form.read(this.select.value, this.editor.text);
  }

  private keep(): void {
    store.draft.set(JSON.stringify(this.draft()));
    say(this.complaint, "");
  }

  private changeLanguage(): void {
    const sample = languages.sample(this.select.value);
    if (languages.untouched(this.editor.text) && sample) this.editor.text = sample;
    this.reflectLanguage();
    this.keep();
  }

  private reflectLanguage(): void {
    const language = this.list.find((l) => l.id === this.select.value);
    say(this.version, language?.version?.match(/\d+(\.\d+)+/)?.[0] ?? "");
    this.version.title = language?.version ?? "";
    void this.editor.highlight(languages.syntax(this.select.value));
  }

  private idle(): void {
    this.running = null;
    say(this.runButton, "Run");
    this.runButton.disabled = this.list.length === 0;
    this.cancelButton.hidden = true;
  }

  private async run(): Promise<void> {
    if (this.running || this.runButton.disabled) return;
    const draft = this.draft();
    const wrong = fault(draft);
    say(this.complaint, wrong ?? "");
    if (wrong) return;
    const submission = compose(draft);
    const stop = new AbortController();
    this.closed.addEventListener("abort", () => stop.abort(), { once: true });
    this.running = { id: null, stop };
    say(this.runButton, "Running…");
    this.runButton.disabled = true;
    this.context.say("Sent.");
    const sent = Date.now();
    try {
      const view = await this.context.api.submit(submission, key(), stop.signal);
      this.running.id = view.id;
      remember(view.id, submission, sent);
      this.cancelButton.hidden = false;
      const results = new Results(submission, granted(submission.limits));
      put(this.output, results.root, this.links(view.id));
      const plain = draft.mode === "stdin";
      const show = (run: Run) => {
        watch(run, Date.now());
        results.show(run);
        this.context.say(spoken(run, ({ verdict }) => (plain ? plainRun(verdict) : words(verdict)).name));
      };
      const begun = begin(view, submission.tests.length);
      show(begun);
      if (matchMedia("(max-width: 900px)").matches) results.root.scrollIntoView({ block: "start", behavior: "smooth" });
      await follow(this.context.api, begun, show, stop.signal);
    } catch (error) {
      if (stop.signal.aborted) return;
      const card = problemCard(error, this.context, () => void this.run());
      const { id } = this.running ?? { id: null };
      // What was accepted is judged, whatever happens to this page's connection.
      put(this.output, card, id && this.links(id));
    } finally {
      this.idle();
    }
  }

  private async cancel(): Promise<void> {
    const id = this.running?.id;
    if (!id) return;
    try {
      await this.context.api.cancel(id);
    } catch (error) {
      this.output.prepend(problemCard(error, this.context));
    }
  }

  private links(id: string): HTMLElement {
    const address = new URL(toSubmission(id), location.href).href;
    const button = h("button", { type: "button", class: "quiet", onclick: () => void copy(button, address) }, "Copy link to result");
    return h("p", { class: "links" }, h("a", { href: toSubmission(id) }, "Timeline and details"), button);
  }

  private async link(): Promise<void> {
    const packed = await pack(compose(this.draft()));
    await copy(this.share, new URL(`#/p/${packed}`, location.href).href);
  }
}

/** crypto.randomUUID is only there over https. */
function key(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
