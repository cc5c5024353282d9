// The server's API as this page sees it: every shape on the wire and every call, in one place.
// What the Rust side defines: judge/src/model (submission, report) and api/ (the rest).

import { Problem, fromResponse, unreachable } from "./problem";
import { type Frame, frames } from "./sse";

// --- what is submitted: judge/src/model/submission.rs -------------------------------------------

/** Bytes: a plain string when they are UTF-8. */
export type Blob = string | { base64: string };

export interface SourceFile {
  name: string;
  contents: Blob;
}

export interface Test {
  name: string;
  input: Blob;
  /** Absent: any output is accepted. */
  answer?: Blob;
}

export interface Limits {
  cpu_ms?: number;
  wall_ms?: number;
  memory_bytes?: number;
}

export type Checker = { kind: "lines" } | { kind: "exact" } | { kind: "tokens" };

export interface Submission {
  language: string;
  files: SourceFile[];
  tests: Test[];
  limits?: Limits;
  checker?: Checker;
  stop?: "run_all" | "first_failure";
}

// --- what is reported: judge/src/model/report.rs ------------------------------------------------

export type VerdictCode =
  | "AC" | "WA" | "TLE" | "ILE" | "MLE" | "OLE" | "RE" | "CE" | "SKIPPED" | "IE";

export interface CompileReport {
  ok: boolean;
  cached: boolean;
  output: Blob;
  output_truncated: boolean;
  status: string;
  cpu_ms: number;
  memory_bytes: number;
}

export interface TestReport {
  name: string;
  verdict: VerdictCode;
  score: number | null;
  cpu_ms: number;
  wall_ms: number;
  memory_bytes: number;
  exit_code: number | null;
  signal: number | null;
  status: string | null;
  message: string | null;
  team_message: string | null;
  stdout: Blob;
  stdout_truncated: boolean;
  stderr: Blob;
  stderr_truncated: boolean;
  times: { set_up_ms: number; run_ms: number; check_ms: number };
}

export interface Report {
  verdict: VerdictCode;
  score: number | null;
  first_failure: number | null;
  language: string;
  toolchain: string;
  engine: string;
  compile: CompileReport | null;
  tests: TestReport[];
  error: string | null;
  times: {
    compile_ms: number;
    set_up_ms: number;
    run_ms: number;
    check_ms: number;
    total_ms: number;
  };
}

// --- what the server adds: api/ -----------------------------------------------------------------

/** Where a submission is; the last three are final. */
export type Stage = "queued" | "running" | "delayed" | "finished" | "dead" | "cancelled";

export interface SubmissionView {
  id: string;
  stage: Stage;
  lane?: string;
  attempts?: number;
  /** Attempts that ended with their worker. */
  lost?: number;
  created_at?: string;
  started_at?: string;
  finished_at?: string;
  worker?: string;
  tags?: string[];
  /** Tests that are over, while it runs. */
  tests_done?: number;
  tests_total?: number;
  /** What each test is granted, defaults filled in. */
  limits?: Limits;
  steps?: { index: number; report: TestReport }[];
  report?: Report;
  /** Why it cannot be judged as written. */
  refusal?: { field?: string; reason: string };
  /** Why it was given up. */
  reason?: string;
  /** As it was submitted, where the server keeps it. */
  submission?: Submission;
}

export interface Language {
  id: string;
  name: string;
  version: string;
  aliases: string[];
}

export interface LaneView {
  lane: string;
  depth: number;
  oldest_ms: number | null;
  backlog_ms?: number;
}

export interface WorkerView {
  id: string;
  slots: number;
  busy: number;
  version?: string;
  engine?: string;
  since?: string;
}

export interface Fleet {
  lanes: LaneView[];
  running: number;
  delayed: number;
  dead: number;
  workers: WorkerView[];
  totals?: { enqueued: number; finished: number; [name: string]: number };
  /** Reports by verdict since the server started. */
  verdicts?: Partial<Record<VerdictCode, number>>;
}

/** One event of a submission, as `…/events` streams them. */
export type SubmissionEvent =
  | { kind: "view"; view: SubmissionView }
  | { kind: "started"; worker?: string }
  | { kind: "test"; index: number; report: TestReport }
  | { kind: "returned" }
  | { kind: "ended"; stage: Stage; view?: SubmissionView };

const FINAL: readonly string[] = ["finished", "dead", "cancelled"];

export function isFinal(stage: Stage): boolean {
  return FINAL.includes(stage);
}

/** The event of that frame; null for those this page has no use for. */
export function decode({ event, data }: Frame): SubmissionEvent | null {
  let body: Record<string, unknown>;
  try {
    body = data === "" ? {} : JSON.parse(data);
  } catch {
    return null;
  }
  const view = typeof body.stage === "string" ? (body as unknown as SubmissionView) : undefined;
  switch (event) {
    case "started":
      return typeof body.worker === "string"
        ? { kind: "started", worker: body.worker }
        : { kind: "started" };
    case "test":
      return { kind: "test", index: body.index as number, report: body.report as TestReport };
    case "returned":
      return { kind: "returned" };
    case "finished":
    case "dead":
    case "cancelled":
      return view ? { kind: "ended", stage: event, view } : { kind: "ended", stage: event };
    default:
      return view ? { kind: "view", view } : null;
  }
}

/** The calls. Each throws a {@link Problem}, or the AbortError of its signal. */
export class Api {
  constructor(
    private readonly token: () => string | null = () => null,
    private readonly base = "",
  ) {}

  async languages(signal?: AbortSignal): Promise<Language[]> {
    const body = await this.json<Language[] | { languages: Language[] }>("GET", "/v1/languages", { signal });
    return Array.isArray(body) ? body : body.languages;
  }

  /** `key` makes a repetition after a lost answer harmless. */
  submit(submission: Submission, key: string, signal?: AbortSignal): Promise<SubmissionView> {
    return this.json("POST", "/v1/submissions", { signal, body: submission, headers: { "Idempotency-Key": key } });
  }

  submission(id: string, signal?: AbortSignal): Promise<SubmissionView> {
    return this.json("GET", path(id), { signal });
  }

  async cancel(id: string): Promise<void> {
    await this.send("DELETE", path(id), {});
  }

  fleet(signal?: AbortSignal): Promise<Fleet> {
    return this.json("GET", "/v1/fleet", { signal });
  }

  /** The events after `last`. Ends when the server ends it or the connection breaks. */
  async *events(id: string, last: string | null, signal: AbortSignal): AsyncGenerator<Frame> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (last !== null) headers["Last-Event-ID"] = last;
    const response = await this.send("GET", `${path(id)}/events`, { signal, headers });
    if (response.body) yield* frames(response.body);
  }

  private async json<T>(method: string, path: string, options: Options): Promise<T> {
    return (await this.send(method, path, options)).json() as Promise<T>;
  }

  private async send(method: string, path: string, options: Options): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
    const token = this.token();
    if (token) headers.Authorization = `Bearer ${token}`;
    const request: RequestInit = { method, headers, signal: options.signal ?? null };
    if (options.body !== undefined) {
      headers["Content-Type"] = "application/json";
      request.body = JSON.stringify(options.body);
    }
    let response: Response;
    try {
      response = await fetch(this.base + path, request);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new Problem(unreachable());
    }
    if (!response.ok) throw new Problem(await fromResponse(response));
    return response;
  }
}

interface Options {
  signal?: AbortSignal | undefined;
  body?: unknown;
  headers?: Record<string, string>;
}

function path(id: string): string {
  return `/v1/submissions/${encodeURIComponent(id)}`;
}
