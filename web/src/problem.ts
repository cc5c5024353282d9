// Errors of the API: RFC 9457 problem documents, and what whoever reads one can do about it.

export interface ProblemDocument {
  type: string;
  title: string;
  /** 0: there was no answer. */
  status: number;
  detail?: string;
  /** The fields at fault, when the server names them. */
  errors?: { field: string; detail: string }[];
  retryAfterSeconds?: number;
}

/** A call that failed. */
export class Problem extends Error {
  constructor(readonly document: ProblemDocument) {
    super(document.title);
    this.name = "Problem";
  }
}

export function unreachable(): ProblemDocument {
  return { type: "about:blank", title: "The server does not answer", status: 0 };
}

/** The problem that a response is, also when something in between answered in its own words. */
export async function fromResponse(response: Response): Promise<ProblemDocument> {
  const text = await response.text().catch(() => "");
  return parse(response.status, text, response.headers.get("Retry-After"));
}

export function parse(status: number, text: string, retryAfter: string | null): ProblemDocument {
  const document: ProblemDocument = { type: "about:blank", title: named(status), status };
  const seconds = Number(retryAfter);
  if (retryAfter !== null && Number.isFinite(seconds)) document.retryAfterSeconds = seconds;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Plain text is from a proxy; a whole HTML page says nothing in one line.
    const line = text.trim();
    if (line !== "" && !line.startsWith("<")) document.detail = line.slice(0, 300);
    return document;
  }
  if (typeof body !== "object" || body === null) return document;
  const { type, title, detail, errors, retry_after } = body as Record<string, unknown>;
  if (typeof type === "string") document.type = type;
  // The server's titles are parts of sentences; here one is a heading.
  if (typeof title === "string" && title !== "") document.title = title.charAt(0).toUpperCase() + title.slice(1);
  if (typeof detail === "string") document.detail = detail;
  if (typeof retry_after === "number") document.retryAfterSeconds = retry_after;
  if (Array.isArray(errors)) {
    document.errors = errors.filter((e) => typeof e?.field === "string" && typeof e?.detail === "string");
  }
  return document;
}

/** What to do, in one or two sentences. */
export function advice({ status, retryAfterSeconds }: ProblemDocument): string {
  const later = retryAfterSeconds
    ? `Try again in ${retryAfterSeconds} ${retryAfterSeconds === 1 ? "second" : "seconds"}.`
    : "Try again in a moment.";
  switch (status) {
    case 0:
      return "See that evalX is running and that this machine reaches it, then try again. Nothing you wrote is lost.";
    case 401:
      return "Enter a token that this server knows (Token, top right).";
    case 403:
      return "The token has no right to this. Ask whoever runs this server, or enter another one.";
    case 404:
      return "Look at the id again. Results are kept for a limited time and may be gone.";
    case 413:
      return "Make the program or its tests smaller, or ask for a higher limit.";
    case 429:
      return `You send more than you are granted. ${later}`;
    case 503:
      return `The server takes nothing more for now; what it has taken is safe. ${later}`;
    default:
      return status >= 500
        ? `This is not your doing. ${later} If it stays, its log says more.`
        : "Correct what it names, then send it again.";
  }
}

function named(status: number): string {
  const names: Record<number, string> = {
    400: "The request is not understood",
    401: "A token is needed",
    403: "Not allowed",
    404: "Not found",
    413: "Too large",
    422: "The submission cannot be judged as written",
    429: "Too many requests",
    502: "The server behind the proxy does not answer",
    503: "Not now",
    504: "The server took too long",
  };
  return names[status] ?? (status >= 500 ? "The server failed" : `Status ${status}`);
}
