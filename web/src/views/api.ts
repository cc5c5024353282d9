// The API, from /openapi.json of the very server: its routes with what they take and answer, and
// the shapes of both.

import { h, put, say } from "../dom";
import { type Content, type Document, type Operation, type Parameter, type Piece, type Schema, hasParts, matches, operations, pieces, schemas, searchable, target } from "../openapi";
import { toSchema } from "../permalink";
import { type Context, type View, emptyState, loading, problemCard } from "./view";

const TONES: Record<string, string> = { get: "good", post: "compile", put: "time", patch: "time", delete: "bad" };

export function open(item: string | null, context: Context): View {
  const stop = new AbortController();
  const content = h("div", { class: "stack" }, loading("the API"));
  const raw = h("a", { href: "./openapi.json" }, "openapi.json");
  const root = h("div", { class: "page" }, h("div", { class: "page-head" }, h("h1", {}, "API"), raw), content);
  const load = async () => {
    put(content, loading("the API"));
    try {
      const book = new Book(await context.api.openapi(stop.signal), stop.signal);
      put(content, book.root);
      if (item) book.reveal(item);
    } catch (error) {
      if (!stop.signal.aborted) put(content, problemCard(error, context, () => void load()));
    }
  };
  void load();
  return { title: "API", root, close: () => stop.abort() };
}

/** A route or a shape: what is found and opened. */
interface Entry {
  root: HTMLDetailsElement;
  haystack: string;
}

class Book {
  private readonly routes: Entry[];
  private readonly shapes = new Map<string, Entry>();
  private readonly sections: HTMLElement[] = [];
  private readonly found = h("span", { class: "faint", role: "status" });
  private readonly none = emptyState("Nothing of that name", "Search for a path, a field, a header or a shape.");
  private readonly search = h("input", { type: "search", id: "api-search", placeholder: "Search routes and shapes, /", autocomplete: "off", spellcheck: "false", oninput: () => this.filter() });
  readonly root: HTMLElement;

  constructor(document_: Document, signal: AbortSignal) {
    const routes = operations(document_);
    this.routes = routes.map((route) => this.route(route));
    for (const [name, schema] of schemas(document_)) this.shapes.set(name, this.shape(name, schema));
    for (const group of new Set(routes.map((r) => r.group))) {
      const note = document_.tags?.find((t) => t.name === group)?.description;
      this.section(group, note, this.routes.filter((_, i) => routes[i]?.group === group));
    }
    this.section("shapes", "What is sent and answered, as JSON", [...this.shapes.values()]);
    const all = (open: boolean) => () => this.entries().forEach(({ root }) => { root.open = open && !root.hidden; });
    this.root = h("div", { class: "stack book" },
      document_.info?.description && h("p", {}, document_.info.description),
      h("div", { class: "book-bar" },
        h("label", { class: "hidden", for: "api-search" }, "Search"), this.search,
        h("button", { type: "button", onclick: all(true) }, "Open all"),
        h("button", { type: "button", onclick: all(false) }, "Close all"), this.found),
      this.none, ...this.sections);
    document.addEventListener("keydown", (event) => this.key(event), { signal });
    this.filter();
  }

  /** Opens that shape and goes there. */
  reveal(name: string): void {
    const entry = this.shapes.get(name);
    if (!entry) return;
    if (entry.root.hidden) {
      this.search.value = "";
      this.filter();
    }
    entry.root.open = true;
    entry.root.scrollIntoView({ block: "start" });
    entry.root.querySelector("summary")?.focus({ preventScroll: true });
  }

  private entries(): Entry[] {
    return [...this.routes, ...this.shapes.values()];
  }

  private section(name: string, note: string | undefined, entries: Entry[]): void {
    const title = name ? `${name[0]?.toUpperCase()}${name.slice(1)}` : "Others";
    this.sections.push(h("section", { class: "card", "aria-label": title },
      h("h2", {}, title), note && h("p", { class: "faint book-note" }, note), ...entries.map((e) => e.root)));
  }

  private filter(): void {
    const search = this.search.value.trim();
    let shown = 0;
    for (const { root, haystack } of this.entries()) {
      root.hidden = !matches(haystack, search);
      if (!root.hidden) shown += 1;
    }
    for (const section of this.sections) section.hidden = !section.querySelector("details.entry:not([hidden])");
    this.none.hidden = shown > 0;
    say(this.found, search ? `${shown} of ${this.entries().length} match` : `${this.routes.length} routes, ${this.shapes.size} shapes`);
  }

  /** `/` goes to the search, Escape leaves nothing in it. */
  private key(event: KeyboardEvent): void {
    const at = event.target as HTMLElement;
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !at.matches("input, textarea, select")) {
      event.preventDefault();
      this.search.focus();
    } else if (event.key === "Escape" && at === this.search) {
      this.search.value = "";
      this.filter();
    }
  }

  private route(route: Operation): Entry {
    const { method, path, summary, description, parameters = [], requestBody, responses = {} } = route;
    const answers = Object.entries(responses).map(([status, { description: says, content }]) =>
      h("li", {}, h("code", {}, status === "default" ? "else" : status), h("div", {}, says && prose(says), ...this.contents(content))));
    const root = h("details", { class: "entry route" },
      h("summary", {}, h("span", { class: "tag", "data-tone": TONES[method] ?? "skip" }, method.toUpperCase()),
        h("code", { class: "path" }, ...breakable(path)), h("span", { class: "faint" }, summary)),
      h("div", { class: "entry-body" },
        description && prose(description),
        parameters.length > 0 && part("Takes", h("ul", { class: "fields" }, ...parameters.map((p) => this.parameter(p)))),
        requestBody && part(requestBody.required ? "Body" : "Body, may be absent", h("div", {}, requestBody.description && prose(requestBody.description), ...this.contents(requestBody.content))),
        part("Answers", h("ul", { class: "answers" }, ...answers))));
    return { root, haystack: searchable([method, path, route]) };
  }

  private parameter({ name, in: where, description, required, schema }: Parameter): HTMLElement {
    return field(name, [`in the ${where}`, required && "required"], this.type(schema), description);
  }

  private contents(content: Content = {}): HTMLElement[] {
    return Object.entries(content).map(([type, { schema }]) =>
      h("p", { class: "content" }, h("code", {}, type), " ", ...this.type(schema)));
  }

  private shape(name: string, schema: Schema): Entry {
    const { description = "" } = schema;
    const first = description.split(/\n\n|(?<=\.)\s/)[0] ?? "";
    const root = h("details", { class: "entry shape" },
      h("summary", {}, h("code", {}, name), h("span", { class: "faint" }, first)),
      h("div", { class: "entry-body" }, description.length > first.length && prose(description), ...this.parts(schema)));
    return { root, haystack: searchable([name, schema]) };
  }

  /** What a shape is made of; another shape is a link, so that none goes round in a circle. */
  private parts(schema: Schema): HTMLElement[] {
    const { properties, required = [], oneOf, anyOf, allOf } = schema;
    const choice = oneOf ?? anyOf;
    if (choice) {
      return [part("One of", h("ol", { class: "choices" }, ...choice.map((c) =>
        h("li", {}, c.description && prose(c.description), ...(hasParts(c) ? this.parts(c) : [h("p", {}, ...this.type(c))])))))];
    }
    if (allOf) {
      return allOf.flatMap((one) => one.$ref ? [h("p", {}, "All of ", this.link(target(one.$ref)), ", and")] : this.parts(one));
    }
    if (!properties) return [h("p", {}, ...this.type(schema))];
    const fields = Object.entries(properties).map(([name, of]) =>
      field(name, [required.includes(name) && "required"], this.type(of), of.description));
    return [h("ul", { class: "fields" }, ...fields), ...(schema.additionalProperties === false ? [h("p", { class: "line" }, "No other field is taken.")] : [])];
  }

  private type(schema: Schema | undefined): (Node | string)[] {
    return pieces(schema).map((piece: Piece) => (typeof piece === "string" ? piece : this.link(piece.ref)));
  }

  private link(name: string): HTMLElement {
    return h("a", { href: toSchema(name), onclick: (event) => {
      const { ctrlKey, metaKey, shiftKey } = event as MouseEvent;
      if (ctrlKey || metaKey || shiftKey) return;
      // In place: what is open stays open. The address can be copied all the same.
      event.preventDefault();
      history.replaceState(null, "", toSchema(name));
      this.reveal(name);
    } }, name);
  }
}

function field(name: string, marks: (string | false | undefined)[], type: (Node | string)[], description?: string): HTMLElement {
  return h("li", {},
    h("code", { class: "field-name" }, name),
    h("span", { class: "field-type" }, ...type, ...marks.filter((m) => !!m).map((m) => h("em", {}, String(m)))),
    description && prose(description));
}

function part(title: string, content: HTMLElement): HTMLElement {
  return h("div", { class: "part" }, h("h3", {}, title), content);
}

/** What is between backticks is code; a line that ends goes on, as in comments, unless one is empty. */
function prose(text: string): HTMLElement {
  return h("p", { class: "prose" }, ...text.replace(/(?<!\n)\n(?![\n-])/g, " ").split(/`([^`]*)`/).map((piece, i) => (i % 2 === 1 ? h("code", {}, piece) : piece)));
}

/** A path may break after each part. */
function breakable(path: string): (Node | string)[] {
  return path.split(/(?<=\/)/).flatMap((piece, i) => (i > 0 ? [h("wbr"), piece] : [piece]));
}
