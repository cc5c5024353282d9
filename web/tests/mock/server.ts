// A small server with the API's shapes: enough of evalX for the browser tests. It judges nothing:
// each program is taken to print the sum of the numbers it reads, unless its text says otherwise.

import { readFile } from "node:fs/promises";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import type { Fleet, Submission, SubmissionView, TestReport, VerdictCode } from "../../src/api";
import { granted } from "../../src/draft";
import { report, testReport } from "./shapes";

/** What the server that ships the page has to send with it. */
export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const TYPES: Record<string, string> = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

/** One thing that happened, as the event stream tells it. */
interface Happening {
  event: string;
  data: unknown;
}

interface Job {
  view: SubmissionView;
  log: Happening[];
  listeners: Set<() => void>;
}

const LANGUAGES = [
  { id: "c", name: "C17 (GCC)", aliases: ["50"] },
  { id: "cpp17", name: "C++17 (GCC)", aliases: ["54", "c++"] },
  { id: "cpp20", name: "C++20 (GCC)", aliases: [] },
  { id: "python3", name: "Python 3", aliases: ["71"] },
  { id: "java", name: "Java (OpenJDK)", aliases: ["62"] },
  { id: "javascript", name: "JavaScript (Node.js)", aliases: ["63"] },
  { id: "go", name: "Go", aliases: ["60"] },
  { id: "rust", name: "Rust", aliases: ["73"] },
  { id: "bash", name: "Bash", aliases: ["46"] },
];

/** Starts it on a free port of loopback; `page` is the folder with the built page. */
export async function start(page: string): Promise<{ url: string; close(): Promise<void> }> {
  const jobs = new Map<string, Job>();
  const server = createServer((request, response) => {
    answer(jobs, page, request, response).catch((error: unknown) => {
      problem(response, 500, "evalX failed", String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { url: `http://127.0.0.1:${address.port}`, close: () => close(server) };
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

async function answer(jobs: Map<string, Job>, page: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? "/", "http://mock");
  const [, version, noun, id, tail] = pathname.split("/");
  // The real one: the page shows what the service says.
  if (pathname === "/openapi.json") return json(response, 200, JSON.parse(await readFile(join(page, "../openapi.json"), "utf8")));
  if (version !== "v1") return file(page, pathname, response);
  if (noun === "languages") return json(response, 200, LANGUAGES);
  if (noun === "fleet") return json(response, 200, fleet(Date.now()));
  if (noun !== "submissions") return problem(response, 404, "there is no such thing", "no such route");
  if (request.method === "POST" && id === undefined) {
    const job = accept(JSON.parse(await body(request)) as Submission);
    jobs.set(job.view.id, job);
    return json(response, 202, job.view);
  }
  const job = jobs.get(id ?? "");
  if (!job) return problem(response, 404, "there is no such thing", `no submission ${id}`);
  if (request.method === "DELETE") {
    job.view.status = "cancelled";
    tell(job, { event: "end", data: job.view });
    return json(response, 200, job.view);
  }
  if (tail === "events") return events(job, request, response);
  return json(response, 200, job.view);
}

function accept(submission: Submission): Job {
  const view: SubmissionView = {
    id: Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join(""),
    status: "queued",
    lane: submission.lane ?? "normal",
    attempts: 0,
  };
  const job: Job = { view, log: [], listeners: new Set() };
  void judge(job, submission);
  return job;
}

/** Tells one test after the other, then the report, as a worker would. */
async function judge(job: Job, submission: Submission): Promise<void> {
  const over = () => job.view.status === "cancelled";
  const source = String(submission.source ?? "");
  await tick();
  if (over()) return;
  Object.assign(job.view, { status: "running", attempts: 1 });
  tell(job, { event: "status", data: { status: "running" } });
  const broken = source.includes("#error");
  const tests: TestReport[] = [];
  for (const [index, test] of submission.tests.entries()) {
    const last = tests.at(-1);
    const skip = broken || (submission.stop === "first_failure" && last !== undefined && last.verdict !== "AC");
    const name = test.name ?? String(index + 1);
    tests.push(skip ? testReport(name, "SKIPPED", { exit_code: null }) : one(source, name, test, index, submission));
    if (skip) continue;
    await tick();
    if (over()) return;
    tell(job, { event: "test", data: { index, ...tests[index] } });
  }
  const whole = report(tests, { language: submission.language, limits: granted(submission.limits) });
  if (broken && whole.compile) {
    Object.assign(whole, { verdict: "CE", score: null, first_failure: null });
    Object.assign(whole.compile, { ok: false, status: "exited with 1", output: "main.cpp:1:2: error: #error not today\n    1 | #error not today\n      |  ^~~~~\n" });
  }
  Object.assign(job.view, { status: "finished", report: whole });
  tell(job, { event: "end", data: job.view });
}

function one(source: string, name: string, test: Submission["tests"][number], index: number, { limits }: Submission): TestReport {
  const figures = { cpu_ms: 1.2 + index * 0.3, wall_ms: 1.4 + index * 0.3 };
  if (/for \(;;\)|while \(true\)/.test(source)) {
    const cpu_ms = limits?.cpu_ms ?? 10_000;
    return testReport(name, "TLE", { cpu_ms: cpu_ms + 2.1, wall_ms: cpu_ms + 9, exit_code: null, signal: 9, status: "CPU time limit" });
  }
  const numbers = String(test.input).split(/\s+/).filter(Boolean).map(Number);
  const [a = 0, b = 0] = numbers;
  const sum = source.includes("a - b") ? a - b : numbers.reduce((n, x) => n + x, 0);
  const stdout = `${sum}\n`;
  const expected = typeof test.answer === "string" ? test.answer.trim() : null;
  const verdict: VerdictCode = expected === null || expected === String(sum) ? "AC" : "WA";
  const message = verdict === "WA" ? `line 1: found "${sum}", expected "${expected}"` : null;
  return testReport(name, verdict, { ...figures, stdout, message });
}

function tell(job: Job, happening: Happening): void {
  // As they were at that time.
  job.log.push(structuredClone(happening));
  for (const listener of job.listeners) listener();
}

function events(job: Job, request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  let sent = Number(request.headers["last-event-id"] ?? 0);
  const more = () => {
    for (; sent < job.log.length; sent += 1) {
      const { event, data } = job.log[sent] as Happening;
      response.write(`id: ${sent + 1}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      if (event === "end") response.end();
    }
  };
  job.listeners.add(more);
  response.on("close", () => job.listeners.delete(more));
  more();
}

/** A fleet that breathes: its numbers follow the clock. */
function fleet(now: number): Fleet {
  const wave = (period: number) => (1 + Math.sin((now / 1000 / period) * 2 * Math.PI)) / 2;
  const normal = Math.round(180 * wave(90) ** 2);
  const busy = (i: number) => Math.min(8, Math.round(8 * wave(70 + i * 9) + 1));
  const finished = Math.round(now / 20) % 1_000_000;
  return {
    lanes: {
      high: { depth: Math.round(3 * wave(20)), oldest_ms: 40 * wave(20), backlog_ms: 90 },
      internal: { depth: 0, backlog_ms: 0 },
      low: { depth: 240, oldest_ms: 412_000, backlog_ms: 480_000 },
      normal: { depth: normal, oldest_ms: normal * 14, backlog_ms: normal * 40 },
    },
    running: [0, 1, 2].reduce((n, i) => n + busy(i), 0),
    delayed: 2,
    dead: 0,
    workers: 4,
    members: [0, 1, 2, 3].map((i) => ({ id: `worker-${i + 1}`, slots: i === 3 ? 0 : 8, busy: i === 3 ? 0 : busy(i), heard_ms: i === 2 ? 21_000 : (now + i * 700) % 3000, engine: "native", version: "0.1.0" })),
    verdicts: { AC: 5230, WA: 812, TLE: 240, RE: 97, CE: 131 },
    languages: {
      cpp17: { AC: 3110, WA: 402, TLE: 60, RE: 57, CE: 99 },
      python3: { AC: 1650, WA: 310, TLE: 180, RE: 30, CE: 2 },
      java: { AC: 470, WA: 100, RE: 10, CE: 30 },
    },
    totals: { enqueued: finished + normal, finished, retried: 31, expired: 4, cancelled: 212 },
  };
}

async function file(page: string, pathname: string, response: ServerResponse): Promise<void> {
  const name = normalize(pathname === "/" ? "index.html" : pathname.slice(1));
  const type = TYPES[extname(name)];
  const bytes = name.startsWith("..") || !type ? null : await readFile(join(page, name)).catch(() => null);
  if (!bytes || !type) return problem(response, 404, "there is no such thing", pathname);
  response.writeHead(200, { "Content-Type": type, "Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff" });
  response.end(bytes);
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(value));
}

function problem(response: ServerResponse, status: number, title: string, detail: string): void {
  response.writeHead(status, { "Content-Type": "application/problem+json" });
  response.end(JSON.stringify({ type: "about:blank", title, status, detail }));
}

async function body(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}

/** What a test takes here. */
function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 25));
}
