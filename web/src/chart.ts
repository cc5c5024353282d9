// Small charts: what to draw, as numbers and path texts. views/fleet.ts puts them on the page.

/** One measurement; null when there was nothing to measure or no answer. */
export interface Sample {
  at: number;
  value: number | null;
}

/** Measurements of the last `span` milliseconds. */
export class History {
  private samples: Sample[] = [];

  constructor(private readonly span: number) {}

  push(at: number, value: number | null): void {
    this.samples.push({ at, value });
    // One older than the span stays: the line enters from the left edge.
    while ((this.samples[1]?.at ?? at) < at - this.span) this.samples.shift();
  }

  all(): readonly Sample[] {
    return this.samples;
  }

  last(): Sample | undefined {
    return this.samples.at(-1);
  }
}

export interface Frame {
  width: number;
  height: number;
  /** The time at the right edge. */
  until: number;
  span: number;
  /** The value at the upper edge. */
  top: number;
}

/** The least round number that holds all values, so that scales seldom change. */
export function niceTop(samples: readonly Sample[], least: number): number {
  const most = samples.reduce((m, s) => Math.max(m, s.value ?? 0), least);
  const power = 10 ** Math.floor(Math.log10(most));
  const factor = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((f) => f * power >= most * 0.999999) ?? 10;
  return factor * power;
}

/** A line with gaps, and the area below it. */
export function paths(samples: readonly Sample[], frame: Frame): { line: string; area: string } {
  const x = (at: number) => round(frame.width * (1 - (frame.until - at) / frame.span));
  const y = (value: number) => round(frame.height * (1 - Math.min(value / frame.top, 1)));
  let line = "";
  let area = "";
  let part: { x: number; y: number }[] = [];
  const close = () => {
    const [first, last] = [part[0], part.at(-1)];
    if (!first || !last) return;
    const points = part.map((p) => `${p.x} ${p.y}`).join("L");
    line += `M${points}`;
    area += `M${first.x} ${frame.height}L${points}L${last.x} ${frame.height}Z`;
    part = [];
  };
  for (const { at, value } of samples) {
    if (value === null) close();
    else part.push({ x: x(at), y: y(value) });
  }
  close();
  return { line, area };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
