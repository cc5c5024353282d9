// What the views share: their shape, what they are given, and how a problem looks.

import type { Api } from "../api";
import { h } from "../dom";
import { Problem, type ProblemDocument, advice } from "../problem";

export interface View {
  title: string;
  root: HTMLElement;
  close(): void;
}

export interface Context {
  api: Api;
  /** Speaks to those who listen to the page. */
  say(text: string): void;
  askToken(): void;
}

/** A problem with what to do, and how to try again where that makes sense. */
export function problemCard(error: unknown, context: Context, again?: () => void): HTMLElement {
  const document: ProblemDocument = error instanceof Problem
    ? error.document
    : { type: "about:blank", title: "The page failed", status: 500, detail: String(error) };
  const { status, title, detail, errors = [] } = document;
  context.say(`${title}. ${detail ?? ""} ${advice(document)}`);
  return h("section", { class: "problem", "aria-label": "Problem" },
    h("h2", {}, title, status > 0 && h("span", { class: "code" }, String(status))),
    detail && h("p", { class: "problem-detail" }, detail),
    errors.length > 0 && h("ul", { class: "problem-detail" }, ...errors.slice(0, 20).map((e) => h("li", {}, h("code", {}, e.field), ": ", e.detail))),
    h("p", {}, advice(document)),
    h("div", { class: "row" },
      again && h("button", { type: "button", onclick: again }, "Try again"),
      status === 401 && h("button", { type: "button", onclick: () => context.askToken() }, "Enter a token")),
  );
}

/** Grey lines where something is about to be. */
export function loading(what: string): HTMLElement {
  return h("div", { class: "loading" }, h("span", { class: "hidden" }, `Loading ${what}`), h("i"), h("i"), h("i"));
}

export function emptyState(title: string, text: string, ...more: HTMLElement[]): HTMLElement {
  return h("div", { class: "empty" }, h("h2", {}, title), h("p", {}, text), ...more);
}

/** Copies and says so on the button. */
export async function copy(button: HTMLButtonElement, text: string): Promise<void> {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Without https there is no clipboard: the address bar will do.
    history.replaceState(null, "", text);
    button.textContent = "It is in the address bar";
  }
  setTimeout(() => { button.textContent = label; }, 2000);
}
