// The editor: CodeMirror in a shadow root. There its styles are adopted style sheets, which the
// Content-Security-Policy lets pass; in the document it would need inline <style>.

import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { HighlightStyle, type LanguageSupport, StreamLanguage, type StreamParser, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Syntax } from "./languages";

/** Each is a file of its own that is loaded when it is first needed. */
const SYNTAX: Record<Syntax, () => Promise<LanguageSupport | StreamLanguage<unknown>>> = {
  cpp: async () => (await import("@codemirror/lang-cpp")).cpp(),
  python: async () => (await import("@codemirror/lang-python")).python(),
  java: async () => (await import("@codemirror/lang-java")).java(),
  javascript: async () => (await import("@codemirror/lang-javascript")).javascript(),
  typescript: async () => (await import("@codemirror/lang-javascript")).javascript({ typescript: true }),
  go: async () => (await import("@codemirror/lang-go")).go(),
  rust: async () => (await import("@codemirror/lang-rust")).rust(),
  shell: async () => StreamLanguage.define((await import("@codemirror/legacy-modes/mode/shell")).shell as StreamParser<unknown>),
};

const LOOK = EditorView.theme({
  "&": { height: "100%", fontSize: "13.5px", backgroundColor: "transparent", color: "var(--ink)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", overflow: "auto" },
  ".cm-content": { caretColor: "var(--ink)", padding: "10px 0" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--faint)", border: "none", paddingLeft: "6px" },
  ".cm-activeLine": { backgroundColor: "var(--line-active)" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--ink)" },
  ".cm-content ::selection": { backgroundColor: "var(--selection)" },
  ".cm-matchingBracket": { backgroundColor: "var(--selection)", outline: "none" },
});

const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.self], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.character], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--code-number)" },
  { tag: [tags.typeName, tags.className, tags.namespace, tags.standard(tags.name)], color: "var(--code-type)" },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.macroName], color: "var(--code-function)" },
  { tag: [tags.meta, tags.processingInstruction], color: "var(--code-meta)" },
  { tag: tags.comment, color: "var(--code-comment)", fontStyle: "italic" },
]);

export class Editor {
  readonly root: HTMLElement;
  private readonly view: EditorView;
  private readonly language = new Compartment();
  private wanted: Syntax | null = null;

  /** `run` is Ctrl/⌘ + Enter; `change` is told of each change by the user. */
  constructor(label: string, describedBy: string, run: () => void, change: () => void) {
    this.root = document.createElement("div");
    this.root.className = "editor";
    const shadow = this.root.attachShadow({ mode: "open" });
    const hint = document.createElement("span");
    hint.id = "hint";
    hint.hidden = true;
    hint.textContent = describedBy;
    const parent = document.createElement("div");
    parent.id = "view";
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(":host{display:block;overflow:hidden}#view{height:100%}");
    shadow.adoptedStyleSheets = [sheet];
    shadow.append(hint, parent);
    const extensions: Extension[] = [
      lineNumbers(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      history(),
      indentOnInput(),
      indentUnit.of("    "),
      EditorState.tabSize.of(4),
      bracketMatching(),
      closeBrackets(),
      // Before the default keys, where Mod-Enter inserts a line.
      keymap.of([{ key: "Mod-Enter", run: () => (run(), true) }, ...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, indentWithTab]),
      LOOK,
      syntaxHighlighting(COLOURS),
      this.language.of([]),
      EditorView.contentAttributes.of({ "aria-label": label, "aria-describedby": "hint", spellcheck: "false", autocapitalize: "off" }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) change();
      }),
    ];
    this.view = new EditorView({ parent, root: shadow, state: EditorState.create({ extensions }) });
  }

  get text(): string {
    return this.view.state.doc.toString();
  }

  set text(text: string) {
    if (text === this.text) return;
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
  }

  async highlight(syntax: Syntax | null): Promise<void> {
    this.wanted = syntax;
    // Without its colours a program can be edited all the same.
    const extension = syntax ? await SYNTAX[syntax]().catch(() => []) : [];
    if (this.wanted === syntax) this.view.dispatch({ effects: this.language.reconfigure(extension) });
  }

  close(): void {
    this.view.destroy();
  }
}
