// Addresses within the page. A program travels in the address itself, compressed, so that a link
// to it needs no server that keeps it.

import type { Submission } from "./api";

export type Route =
  | { view: "playground"; program: string | null; from: string | null }
  | { view: "fleet" }
  | { view: "api"; item: string | null }
  | { view: "submission"; id: string };

/** The route of a hash; what is unknown is the playground. */
export function route(hash: string): Route {
  const [, head = "", tail = ""] = hash.replace(/^#/, "").split("/");
  if (head === "fleet") return { view: "fleet" };
  if (head === "api") return { view: "api", item: tail ? decode(tail) : null };
  if (head === "s" && tail) return { view: "submission", id: decode(tail) };
  return {
    view: "playground",
    program: head === "p" && tail ? tail : null,
    from: head === "edit" && tail ? decode(tail) : null,
  };
}

export function toSubmission(id: string): string {
  return `#/s/${encodeURIComponent(id)}`;
}

/** A shape of the API. */
export function toSchema(name: string): string {
  return `#/api/${encodeURIComponent(name)}`;
}

export async function pack(submission: Submission): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(submission));
  const packed = await through(bytes, new CompressionStream("deflate-raw"));
  let binary = "";
  for (const byte of packed) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The submission of a link; null when it is damaged. */
export async function unpack(packed: string): Promise<Submission | null> {
  try {
    const binary = atob(packed.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    const plain = await through(bytes, new DecompressionStream("deflate-raw"));
    const value = JSON.parse(new TextDecoder().decode(plain));
    return isSubmission(value) ? value : null;
  } catch {
    return null;
  }
}

/** A link is a stranger's text: what is not of the right shape is not taken. */
function isSubmission(value: unknown): value is Submission {
  const it = value as Submission;
  return (
    typeof it === "object" && it !== null && typeof it.language === "string" &&
    (it.files === undefined || Array.isArray(it.files)) &&
    Array.isArray(it.tests) && it.tests.every((t) => typeof t === "object" && t !== null)
  );
}

/** More than any program; a link that swells beyond is an attack on the reader's memory. */
const MOST = 8 << 20;

async function through(bytes: Uint8Array<ArrayBuffer>, by: GenericTransformStream): Promise<Uint8Array> {
  const reader = new Blob([bytes]).stream().pipeThrough<Uint8Array>(by as TransformStream).getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > MOST) {
      await reader.cancel();
      throw new Error("too large");
    }
    parts.push(value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
