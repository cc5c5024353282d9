// What this tab has sent: the server tells no one what a submission was and when it came, so the
// page remembers its own.

import type { Submission } from "./api";
import { type Run, complete } from "./run";

export interface Sent {
  submission: Submission;
  /** By this machine's clock: sent, seen running, seen over. */
  at: number;
  started?: number;
  ended?: number;
}

const MOST = 50;
const sent = new Map<string, Sent>();

export function remember(id: string, submission: Submission, now: number): void {
  sent.set(id, { submission, at: now });
  const [oldest] = sent.keys();
  if (sent.size > MOST && oldest !== undefined) sent.delete(oldest);
}

export function recall(id: string): Sent | undefined {
  return sent.get(id);
}

/** When it was first seen to run and to be over. */
export function watch(run: Run, now: number): void {
  const known = sent.get(run.view.id);
  if (!known) return;
  if (run.view.status === "running") known.started ??= now;
  if (complete(run)) known.ended ??= now;
}
