// Follows one submission to its end, whatever happens to the connection meanwhile.

import { type Api, decode } from "./api";
import { Problem } from "./problem";
import { type Run, complete, step } from "./run";

/** Waits between attempts to connect. */
const WAITS = [250, 500, 1000, 2000, 4000];

/**
 * Tells each new state to `show`. Resolves with the last one: it is complete, or `signal` was
 * aborted. Throws a {@link Problem} that trying again does not mend.
 */
export async function follow(api: Api, start: Run, show: (run: Run) => void, signal: AbortSignal): Promise<Run> {
  let run = start;
  let last: string | null = null;
  let failures = 0;
  const take = (next: Run) => {
    run = next;
    if (!signal.aborted) show(run);
  };
  while (!signal.aborted && !complete(run)) {
    try {
      for await (const frame of api.events(run.view.id, last, signal)) {
        failures = 0;
        last = frame.id ?? last;
        const event = decode(frame);
        if (event) take(step(run, event));
        if (complete(run)) break;
      }
      // The stream ended early: this tells what was missed.
      if (!complete(run)) take(step(run, { kind: "view", view: await api.submission(run.view.id, signal) }));
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof Problem) || !mends(error.document.status)) throw error;
      failures += 1;
      if (failures > WAITS.length) throw error;
    }
    if (!complete(run)) await pause(WAITS[Math.max(failures - 1, 0)] ?? 1000, signal);
  }
  return run;
}

function mends(status: number): boolean {
  return status === 0 || status === 429 || status >= 500;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
