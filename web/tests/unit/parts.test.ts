import { describe, expect, test } from "vitest";
import { History, niceTop, paths } from "../../src/chart";
import { compose, empty, fault, granted, restore } from "../../src/draft";
import * as format from "../../src/format";
import { sample, untouched } from "../../src/languages";
import { type Document, type Schema, matches, operations, pieces, searchable } from "../../src/openapi";
import { pack, route, toSchema, unpack } from "../../src/permalink";
import { advice, parse } from "../../src/problem";
import { CODES, plainRun, words } from "../../src/verdict";

describe("numbers", () => {
  test("of time", () => {
    const cases: [number, string][] = [[0, "0.0 ms"], [0.42, "0.4 ms"], [0.97, "1 ms"], [12.4, "12 ms"], [999.6, "1 s"], [1250, "1.25 s"], [10_000, "10 s"], [59_990, "1 min"], [200_000, "3 min 20 s"], [7_500_000, "2 h 5 min"]];
    for (const [value, text] of cases) expect(format.ms(value)).toBe(text);
  });
  test("of bytes, counts and shares", () => {
    expect([0, 1023, 1024, 1536, 262144, 256 << 20].map(format.bytes)).toEqual(["0 B", "1023 B", "1 KiB", "1.5 KiB", "256 KiB", "256 MiB"]);
    expect([0, 1204, 35_210, 2_000_000].map(format.count)).toEqual(["0", "1,204", "35.2 k", "2 M"]);
    expect([format.percent(1, 1000), format.percent(1, 3), format.percent(0, 0)]).toEqual(["< 1 %", "33 %", "0 %"]);
  });
  test("of a test that ran twice", () => {
    const because = "it waited for a CPU for 33 % of the time";
    expect(format.again({ because, other: null })).toBe(`Its time is in doubt: ${because}.`);
    const other = { verdict: "TLE" as const, cpu_ms: 1000.4, wall_ms: 1500 };
    expect(format.again({ because, other })).toBe(`Ran twice, since ${because}. The other run: TLE, 1 s.`);
  });
  test("of bytes that are no text", () => {
    expect(format.text({ base64: "/wA=" }).binary).toBe(true);
  });
});

describe("a draft", () => {
  const draft = { ...empty("cpp17", "int main() {}"), cpuSeconds: 1.5, memoryMiB: 64, checker: "tokens" as const, stopAtFirst: true };

  test("comes back from the submission it becomes", () => {
    expect(restore(compose(draft))).toEqual(draft);
    const run = { ...draft, mode: "stdin" as const, stdin: "x\n", checker: "lines" as const, stopAtFirst: false };
    expect(restore(compose(run))).toEqual({ ...run, tests: empty("", "").tests });
  });
  test("sends only what differs from the defaults", () => {
    expect(Object.keys(compose(empty("c", "x"))).sort()).toEqual(["lane", "language", "source", "tests"]);
  });
  test("is not sent when it cannot be judged", () => {
    expect(fault(draft)).toBeNull();
    expect(fault({ ...draft, code: " " })).toMatch(/empty/);
    expect(fault({ ...draft, tests: [] })).toMatch(/no test/);
    expect(fault({ ...draft, memoryMiB: 0 })).toMatch(/Memory/);
  });
  test("is granted what the judge grants", () => {
    expect(granted()).toEqual({ cpu_ms: 10_000, wall_ms: 21_000, memory_bytes: 256 << 20 });
    expect(granted({ cpu_ms: 3000 }).wall_ms).toBe(7000);
  });
  test("begins with a sample that may be replaced", () => {
    expect(untouched(sample("go"))).toBe(true);
    expect(untouched("x")).toBe(false);
  });
});

describe("the description of the API", () => {
  const words = (schema?: Schema) => pieces(schema).map((p) => (typeof p === "string" ? p : `<${p.ref}>`)).join("");

  test("has types in words", () => {
    const cases: [Schema | undefined, string][] = [
      [undefined, "anything"],
      [{ $ref: "#/components/schemas/Test" }, "<Test>"],
      [{ type: ["string", "null"] }, "text or null"],
      [{ type: "integer", minimum: 0, maximum: 9, default: 3 }, "integer, at least 0, at most 9, else 3"],
      [{ type: "array", items: { $ref: "#/components/schemas/Test" } }, "list of <Test>"],
      [{ type: "object", additionalProperties: { type: "number" } }, "object of number"],
      [{ type: "string", enum: ["a", "b"] }, '"a" or "b"'],
      [{ oneOf: [{ type: "null" }, { $ref: "#/x/Lane" }] }, "null or <Lane>"],
      [{ allOf: [{ $ref: "#/x/A" }, { type: "object" }] }, "<A> and object"],
      [{}, "anything"],
    ];
    for (const [schema, text] of cases) expect(words(schema)).toBe(text);
  });
  test("gives its routes in the order of its groups", () => {
    const document: Document = { tags: [{ name: "b" }, { name: "a" }], paths: { "/1": { get: { tags: ["a"] }, "x-more": {} }, "/2": { post: { tags: ["b"] }, get: { tags: ["b"] } }, "/3": { get: {} } } };
    expect(operations(document).map((o) => `${o.method} ${o.path}`)).toEqual(["get /2", "post /2", "get /1", "get /3"]);
  });
  test("is found by all the words of a search", () => {
    const text = searchable(["post", { name: "Idempotency-Key" }]);
    expect([matches(text, ""), matches(text, "POST idem"), matches(text, "get idem")]).toEqual([true, true, false]);
  });
});

describe("links", () => {
  test("lead to the views", () => {
    expect(route("")).toEqual({ view: "playground", program: null, from: null });
    expect(route("#/fleet")).toEqual({ view: "fleet" });
    expect(route("#/api")).toEqual({ view: "api", item: null });
    expect(route(toSchema("A/B"))).toEqual({ view: "api", item: "A/B" });
    expect(route("#/s/a%2Fb")).toEqual({ view: "submission", id: "a/b" });
    expect(route("#/p/xyz")).toMatchObject({ program: "xyz" });
    expect(route("#/edit/1")).toMatchObject({ from: "1" });
    expect(route("#/s/%")).toEqual({ view: "submission", id: "%" });
  });
  test("hold a program, and damage is noticed", async () => {
    const submission = compose(empty("python3", "print('ä')\n".repeat(50)));
    const packed = await pack(submission);
    expect(packed).toMatch(/^[\w-]+$/);
    expect(await unpack(packed)).toEqual(submission);
    for (const bad of ["", "%", packed.slice(0, -9), "AAAA"]) expect(await unpack(bad)).toBeNull();
    expect(await unpack(await pack({ language: 1 } as never))).toBeNull();
  });
});

describe("problems", () => {
  test("are read from problem documents", () => {
    const text = '{"type":"urn:evalx:problem:queue-full","title":"the queue is full","status":503,"detail":"d","retry_after":2,"errors":[{"field":"tests[3].input","detail":"wrong"},{}]}';
    const problem = parse(503, text, null);
    expect(problem).toMatchObject({ title: "The queue is full", detail: "d", retryAfterSeconds: 2, errors: [{ field: "tests[3].input", detail: "wrong" }] });
    expect(advice(problem)).toMatch(/in 2 seconds/);
  });
  test("are made of whatever a proxy says", () => {
    expect(parse(502, "<html>", "1")).toEqual({ type: "about:blank", title: "The server behind the proxy does not answer", status: 502, retryAfterSeconds: 1 });
    expect(parse(400, "bad", null).detail).toBe("bad");
    expect(parse(418, "[]", "Wed, 21 Oct 2026").title).toBe("Status 418");
  });
  test("each say what to do", () => {
    for (const status of [0, 400, 401, 403, 404, 408, 413, 422, 429, 500, 503]) expect(advice({ type: "", title: "", status })).toMatch(/[.)]$/);
  });
});

describe("verdicts", () => {
  test("each have a name, a tone and a meaning", () => {
    for (const code of CODES) expect(Object.values(words(code)).every(Boolean)).toBe(true);
    expect(words("NEW" as never).name).toBe("NEW");
  });
  test("of a run without expected answers do not praise", () => {
    expect(plainRun("AC").name).toBe("Ran to the end");
    expect(plainRun("TLE")).toBe(words("TLE"));
  });
});

describe("charts", () => {
  const frame = { width: 100, height: 10, until: 1000, span: 1000, top: 10 };

  test("break the line where nothing was measured", () => {
    const samples = [{ at: 0, value: 0 }, { at: 500, value: 10 }, { at: 600, value: null }, { at: 1000, value: 20 }];
    const { line, area } = paths(samples, frame);
    expect(line).toBe("M0 10L50 0M100 0");
    expect(area).toBe("M0 10L0 10L50 0L50 10ZM100 10L100 0L100 10Z");
    expect(paths([], frame)).toEqual({ line: "", area: "" });
  });
  test("have round scales", () => {
    const top = (...values: number[]) => niceTop(values.map((value) => ({ at: 0, value })), 10);
    expect([top(), top(10), top(11), top(42), top(50), top(51), top(999)]).toEqual([10, 10, 15, 50, 50, 60, 1000]);
  });
  test("forget what is older than their span, but for one", () => {
    const history = new History(100);
    for (const at of [0, 50, 100, 150, 200]) history.push(at, at);
    expect(history.all().map((s) => s.at)).toEqual([50, 100, 150, 200]);
  });
});
