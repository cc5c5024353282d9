// The server's API as this page sees it: every shape on the wire and every call, in one place.
// What the Rust side defines: judge/src/model (submission, report) and api/ (the rest).

import type { Document } from "./openapi";
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
  name?: string;
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
  /** The program, when it is one file: the server knows what it is called. */
  source?: Blob;
  files?: SourceFile[];
  tests: Test[];
  limits?: Limits;
  checker?: Checker;
  stop?: "run_all" | "first_failure";
  /** `high`: somebody waits for it. */
  lane?: "high" | "normal" | "low";
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
  /** What the machine took from it; null where it does not count that. */
  pressure?: {
    switches_voluntary: number;
    switches_forced: number;
    steal_ms: number | null;
    stall_ms: number | null;
    stall_of: "box" | "machine" | null;
    disk_ms: number | null;
    disk_of: "box" | "machine" | null;
    late_ms: number | null;
  };
  again?: Again;
}

/** A test whose time was in doubt. */
export interface Again {
  because: string;
  /** The run of the two that is not reported; null when it ran once. */
  other: { verdict: VerdictCode; cpu_ms: number; wall_ms: number } | null;
}

export interface Report {
  verdict: VerdictCode;
  score: number | null;
  first_failure: number | null;
  language: string;
  /** What each test was granted. */
  limits?: Required<Limits>;
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

// --- what the server adds: api/src/v1 -----------------------------------------------------------

/** Where a submission is. */
export type Status =
  | "queued" | "running" | "retrying" // not over
  | "finished" | "refused" | "failed" | "cancelled"; // over

/** A test that is over. */
export interface Partial extends TestReport {
  /** Its position in `tests`, from 0. */
  index: number;
}

/** api/src/v1/wire.rs `View`. */
export interface SubmissionView {
  id: string;
  status: Status;
  lane?: string;
  attempts: number;
  tags?: string[];
  /** Before there is a report: the tests that are over. */
  tests?: Partial[];
  report?: Report;
  /** Why it cannot be judged as written. */
  refusal?: { field?: string; reason: string };
  /** Why evalX gave up. */
  error?: string;
}

/** api/src/v1/languages.rs. */
export interface Language {
  id: string;
  name: string;
  aliases: string[];
  version?: string;
  /** Absent when other machines judge. */
  available?: boolean;
  unavailable?: string;
}

export type Verdicts = { [code in VerdictCode]?: number };

/** api/src/v1/fleet.rs. */
export interface Fleet {
  /** How many are alive. */
  workers: number;
  running: number;
  delayed: number;
  dead: number;
  lanes: Record<string, Lane>;
  totals: Record<string, number>;
  /** One by one; of very many the first thousand. */
  members?: Worker[];
  /** Reports of the last hour by verdict, where the server counts them. */
  verdicts?: Verdicts;
  /** The same by language. */
  languages?: Record<string, Verdicts>;
}

export interface Lane {
  depth: number;
  backlog_ms: number;
  oldest_ms?: number;
}

export interface Worker {
  id: string;
  /** Boxes that it runs at once; 0 when it takes nothing, and until it has said so. */
  slots: number;
  /** Submissions that it has. */
  busy: number;
  /** How long ago it was heard. */
  heard_ms?: number;
  engine?: string;
  version?: string;
}

/** One event of a submission, as `…/events` streams them (api/src/v1/events.rs). */
export type SubmissionEvent =
  | { kind: "status"; status: Status }
  | { kind: "test"; test: Partial }
  | { kind: "view"; view: SubmissionView };

const OVER: readonly Status[] = ["finished", "refused", "failed", "cancelled"];

export function isOver(status: Status): boolean {
  return OVER.includes(status);
}

/** The event of that frame; null for those this page has no use for. */
export function decode({ event, data }: Frame): SubmissionEvent | null {
  try {
    const body = JSON.parse(data);
    switch (event) {
      case "status":
        return { kind: "status", status: body.status };
      case "test":
        return typeof body.index === "number" ? { kind: "test", test: body } : null;
      case "end":
        return { kind: "view", view: body };
      default:
        return null;
    }
  } catch {
    return null;
  }
}

/** The calls. Each throws a {@link Problem}, or the AbortError of its signal. */
export class Api {
  constructor(
    private readonly token: () => string | null = () => null,
    private readonly base = "",
  ) {}

  languages(signal?: AbortSignal): Promise<Language[]> {
    return this.json("GET", "/v1/languages", { signal });
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

  /** What the server says of itself. */
  openapi(signal?: AbortSignal): Promise<Document> {
    return this.json("GET", "/openapi.json", { signal });
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
