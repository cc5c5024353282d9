import { describe, expect, test } from "vitest";
import { Parser } from "../../src/sse";

describe("the event stream", () => {
  const stream = ": hello\r\nid: 5-0\r\nevent: test\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\nid: 6-0\ndata:x\n\n\n";
  const wanted = [
    { event: "test", data: '{"a":\n1}', id: "5-0" },
    { event: "message", data: "x", id: "6-0" },
  ];

  test("is the same however it is cut into pieces", () => {
    for (let size = 1; size <= stream.length; size += 1) {
      const parser = new Parser();
      const frames = [];
      for (let at = 0; at < stream.length; at += size) frames.push(...parser.push(stream.slice(at, at + size)));
      expect(frames, `pieces of ${size}`).toEqual(wanted);
    }
  });

  test("keeps the last id, and a frame that is not complete waits", () => {
    const parser = new Parser();
    expect(parser.push("id: 1\ndata: a\n\ndata: b\n")).toEqual([{ event: "message", data: "a", id: "1" }]);
    expect(parser.push("\n")).toEqual([{ event: "message", data: "b", id: "1" }]);
  });
});
