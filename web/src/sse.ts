// Server-sent events over fetch. EventSource cannot send a token, so it is not used.
// The format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream

export interface Frame {
  /** `message` when the server names none. */
  event: string;
  data: string;
  /** The last id seen so far; it is what a reconnection sends. */
  id: string | null;
}

/** Takes text in any pieces and gives the frames that are complete. */
export class Parser {
  private rest = "";
  private event = "";
  private data: string[] = [];
  private id: string | null = null;

  push(text: string): Frame[] {
    const out: Frame[] = [];
    // A CR at the end may be half of a CRLF: it waits for the next piece.
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      const frame = this.line(line);
      if (frame) out.push(frame);
    }
    return out;
  }

  private line(line: string): Frame | null {
    if (line === "") {
      const frame = { event: this.event || "message", data: this.data.join("\n"), id: this.id };
      const any = this.data.length > 0 || this.event !== "";
      this.event = "";
      this.data = [];
      return any ? frame : null;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.event = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id" && !value.includes("\0")) this.id = value;
    return null;
  }
}

/** The frames of a response body. */
export async function* frames(body: ReadableStream<Uint8Array>): AsyncGenerator<Frame> {
  const parser = new Parser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    // Also when whoever reads has seen enough.
    reader.cancel().catch(() => undefined);
  }
}
