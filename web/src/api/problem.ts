/** RFC 9457 problem documents: what the server says when it says no. */

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  /** On WHEP 503 and 406: where the same stream plays over HLS. */
  manifest_url?: string;
}

/** Where the detail speaks to whoever wrote the client. */
const FOR_PEOPLE: Partial<Record<string, string>> = {
  "/problems/stream-not-found": "There is no such stream: the link may be mistyped, or its owner has deleted it.",
  "/problems/private-stream": "This stream is private. Open it with the link its owner gave you, or sign in as its owner.",
};

export class ProblemError extends Error {
  override readonly name = "ProblemError";

  constructor(
    readonly problem: Problem,
    /** From Retry-After (RFC 9110 section 10.2.3, seconds form); null when absent. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(FOR_PEOPLE[problem.type] ?? problem.detail ?? problem.title);
  }

  get status(): number {
    return this.problem.status;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

/** Read a problem out of any JSON value; what isn't one becomes a plain "HTTP status" problem. */
export function toProblem(body: unknown, status: number): Problem {
  const fields = isRecord(body) ? body : {};
  const detail = text(fields.detail);
  const manifestUrl = text(fields.manifest_url);
  return {
    type: text(fields.type) ?? "about:blank",
    title: text(fields.title) ?? `The server answered ${status}`,
    status: typeof fields.status === "number" ? fields.status : status,
    ...(detail === undefined ? {} : { detail }),
    ...(manifestUrl === undefined ? {} : { manifest_url: manifestUrl }),
  };
}

export async function problemFrom(response: Response): Promise<ProblemError> {
  let body: unknown = null;
  try {
    body = await response.json();
  } catch {
    // A proxy's HTML error page: the status alone has to do.
  }
  const seconds = Number(response.headers.get("Retry-After") ?? "");
  return new ProblemError(toProblem(body, response.status), seconds > 0 ? seconds * 1000 : null);
}

/** One sentence for the person in front of the page. */
export function explain(error: unknown): string {
  if (error instanceof ProblemError) return error.message;
  // fetch() rejects with a TypeError when there was no HTTP answer at all.
  if (error instanceof TypeError) return "The server can't be reached. Check your connection and try again.";
  return error instanceof Error ? error.message : String(error);
}
