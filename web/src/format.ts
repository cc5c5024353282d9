// Numbers as people read them.

import type { Again } from "./api";

/** A span of time: `0.4 ms`, `12 ms`, `1.25 s`, `3 min 20 s`, `2 h 5 min`. */
export function ms(value: number): string {
  if (value < 0.95) return `${value.toFixed(1)} ms`;
  if (value < 999.5) return `${Math.round(value)} ms`;
  const seconds = value / 1000;
  if (seconds < 59.95) return `${trim(seconds, seconds < 9.995 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return two(Math.floor(whole / 60), "min", whole % 60, "s");
  return two(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
}

/** A size in binary units: `512 B`, `1.5 MiB`. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : trim(value, value < 9.95 ? 1 : 0)} ${units[unit]}`;
}

/** A count: `1,204`, `35.2 k`. */
export function count(value: number): string {
  if (value < 10_000) return value.toLocaleString("en");
  if (value < 999_500) return `${trim(value / 1000, 1)} k`;
  return `${trim(value / 1_000_000, 1)} M`;
}

export function percent(part: number, whole: number): string {
  if (whole <= 0) return "0 %";
  const share = (part / whole) * 100;
  if (share > 0 && share < 1) return "< 1 %";
  return `${Math.round(share)} %`;
}

/** The text of bytes, and whether it is a view of something that is no text. */
export function text(blob: string | { base64: string }): { text: string; binary: boolean } {
  if (typeof blob === "string") return { text: blob, binary: false };
  const raw = Uint8Array.from(atob(blob.base64), (c) => c.charCodeAt(0));
  return { text: new TextDecoder().decode(raw), binary: true };
}

/** That a test ran twice, or should have. */
export function again({ because, other }: Again): string {
  if (!other) return `Its time is in doubt: ${because}.`;
  return `Ran twice, since ${because}. The other run: ${other.verdict}, ${ms(other.cpu_ms)}.`;
}

function trim(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}

function two(a: number, unitA: string, b: number, unitB: string): string {
  return b === 0 ? `${a} ${unitA}` : `${a} ${unitA} ${b} ${unitB}`;
}
