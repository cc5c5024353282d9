// The verdicts in words and colours. A colour never stands alone: its code and name are beside it.

import type { VerdictCode } from "./api";

/** Names a group of custom properties in style/tokens.css. */
export type Tone = "good" | "bad" | "time" | "memory" | "crash" | "compile" | "skip" | "fault";

export interface Words {
  name: string;
  tone: Tone;
  /** What it means and where to look. */
  means: string;
}

const WORDS: Record<VerdictCode, Words> = {
  AC: { name: "Accepted", tone: "good", means: "Every test gave what was expected." },
  WA: { name: "Wrong answer", tone: "bad", means: "It ran to the end, but printed something else than expected." },
  TLE: { name: "Time limit", tone: "time", means: "It used more CPU time than granted and was stopped." },
  ILE: { name: "Idle too long", tone: "time", means: "The clock ran out while the CPU was idle: it may wait for input that does not come." },
  MLE: { name: "Memory limit", tone: "memory", means: "It wanted more memory than granted and was stopped." },
  OLE: { name: "Output limit", tone: "memory", means: "It printed more than granted and was stopped." },
  RE: { name: "Runtime error", tone: "crash", means: "It ended with an exit code other than 0, a signal, or a call that is forbidden here." },
  CE: { name: "Compile error", tone: "compile", means: "The compiler refused it; what it said is below." },
  SKIPPED: { name: "Skipped", tone: "skip", means: "Not run: an earlier test had decided, or the submission was cancelled." },
  IE: { name: "Judge failed", tone: "fault", means: "evalX failed. This says nothing about the program." },
};

export function words(code: VerdictCode): Words {
  return WORDS[code] ?? { name: code, tone: "skip", means: "" };
}

/** Without expected answers an accepted run is no praise: it only ran. */
export function plainRun(code: VerdictCode): Words {
  return code === "AC"
    ? { name: "Ran to the end", tone: "good", means: "It ended with exit code 0 within its limits. Nothing was compared." }
    : words(code);
}

/** In the order in which charts and legends show them. */
export const CODES = Object.keys(WORDS) as VerdictCode[];
