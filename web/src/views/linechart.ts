// One line over time with its value now; what it draws is computed in chart.ts.

import { type Sample, niceTop, paths } from "../chart";
import { h, say, svg } from "../dom";
import * as format from "../format";

const WIDTH = 300;
const HEIGHT = 72;

export class LineChart {
  readonly root: HTMLElement;
  private readonly now = h("span", { class: "chart-now" }, "–");
  private readonly top = h("span", { class: "chart-top" });
  private readonly line = svg("path", { class: "chart-line" });
  private readonly area = svg("path", { class: "chart-area" });
  private readonly cursor = svg("line", { class: "chart-cursor", y1: 0, y2: HEIGHT, visibility: "hidden" });
  private readonly picture: SVGSVGElement;
  private samples: readonly Sample[] = [];
  private until = 0;
  private pointed: number | null = null;

  constructor(title: string, private readonly what: string, private readonly write: (n: number) => string, private readonly least: number, private readonly span: number) {
    this.picture = svg("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
      onpointermove: (event) => this.point((event as PointerEvent).offsetX / this.picture.clientWidth),
      onpointerleave: () => this.point(null),
    }, svg("line", { class: "chart-grid", x1: 0, x2: WIDTH, y1: HEIGHT / 2, y2: HEIGHT / 2 }), this.area, this.line, this.cursor);
    this.root = h("figure", { class: "card chart" },
      h("figcaption", {}, h("span", { class: "chart-title" }, title), this.now),
      h("div", { class: "chart-plot" }, this.top, this.picture),
      h("div", { class: "chart-times", "aria-hidden": "true" }, h("span", {}, `${format.ms(span)} ago`), h("span", {}, "now")));
  }

  show(samples: readonly Sample[], until: number): void {
    this.samples = samples;
    this.until = until;
    const top = niceTop(samples, this.least);
    const { line, area } = paths(samples, { width: WIDTH, height: HEIGHT, until, span: this.span, top });
    this.line.setAttribute("d", line);
    this.area.setAttribute("d", area);
    say(this.top, this.write(top));
    const values = samples.flatMap((s) => (s.value === null ? [] : [s.value]));
    const most = values.length > 0 ? this.write(Math.max(...values)) : "nothing";
    this.picture.setAttribute("aria-label", `${this.what} over the last ${format.ms(this.span)}; at most ${most}`);
    this.label();
  }

  private point(share: number | null): void {
    this.pointed = share;
    this.cursor.setAttribute("visibility", share === null ? "hidden" : "visible");
    if (share !== null) {
      this.cursor.setAttribute("x1", String(share * WIDTH));
      this.cursor.setAttribute("x2", String(share * WIDTH));
    }
    this.label();
  }

  /** The value now, or where the pointer is. */
  private label(): void {
    const { pointed } = this;
    if (pointed === null) {
      const last = this.samples.at(-1)?.value ?? null;
      say(this.now, last === null ? "–" : this.write(last));
      return;
    }
    const at = this.until - (1 - pointed) * this.span;
    const near = this.samples.reduce<Sample | null>((best, s) => (!best || Math.abs(s.at - at) < Math.abs(best.at - at) ? s : best), null);
    const far = !near || near.value === null || Math.abs(near.at - at) > this.span / 50;
    say(this.now, far ? "–" : `${this.write(near.value ?? 0)}, ${format.ms(Math.max(this.until - near.at, 0))} ago`);
  }
}
