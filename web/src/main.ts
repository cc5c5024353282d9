// The page: which view is shown, theme, token, and the one place that speaks to listeners.

import { Api } from "./api";
import { h, put, say } from "./dom";
import { route } from "./permalink";
import * as store from "./store";
import * as theme from "./theme";
import * as api from "./views/api";
import * as fleet from "./views/fleet";
import * as playground from "./views/playground";
import * as submission from "./views/submission";
import type { Context, View } from "./views/view";

const main = need<HTMLElement>("main");
const says = need<HTMLElement>("says");
let view: View | null = null;

const context: Context = {
  api: new Api(() => store.token.get()),
  say: (text) => say(says, text),
  askToken,
};

function need<T extends HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element as T;
}

function show(): void {
  view?.close();
  const to = route(location.hash);
  switch (to.view) {
    case "fleet":
      view = fleet.open(context);
      break;
    case "api":
      view = api.open(to.item, context);
      break;
    case "submission":
      view = submission.open(to.id, context);
      break;
    case "playground":
      view = playground.open(to, context);
      break;
  }
  put(main, view.root);
  document.title = `${view.title} · evalX`;
  for (const link of document.querySelectorAll<HTMLElement>("nav a")) {
    if (link.dataset.view === to.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  window.scrollTo(0, 0);
}

/** Asks for a token; the view is opened anew with it. */
function askToken(): void {
  const input = h("input", { type: "password", id: "token-field", autocomplete: "off", spellcheck: "false" });
  input.value = store.token.get() ?? "";
  const save = (value: string | null) => {
    store.token.set(value);
    dialog.close();
    show();
  };
  const dialog = h("dialog", { "aria-labelledby": "token-title", onclose: () => dialog.remove() },
    h("form", { onsubmit: (event) => {
      event.preventDefault();
      save(input.value.trim() || null);
    } },
      h("h2", { id: "token-title" }, "Token"),
      h("p", {}, "Where the server asks for one. It stays in this tab until you close it."),
      h("label", { for: "token-field" }, h("span", { class: "label" }, "Bearer token"), input),
      h("div", { class: "row" },
        h("button", { type: "submit", class: "primary" }, "Use it"),
        h("button", { type: "button", onclick: () => save(null) }, "Forget it"),
        h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Close"))));
  document.body.append(dialog);
  dialog.showModal();
}

theme.attach(need<HTMLButtonElement>("theme"));
need("token").addEventListener("click", askToken);
document.querySelector(".skip")?.addEventListener("click", (event) => {
  // The hash is the route; the link must not change it.
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", show);
show();
