// What the hub says when it says no (RFC 9457): a code to translate, fields to point at, an instant to wait for.

export interface FieldFault {
  pointer: string;
  detail: string;
}

export class Problem extends Error {
  constructor(
    readonly status: number,
    /** Last part of the problem's `type`: stable, translated by the dictionary as `problem.<code>`. */
    readonly code: string,
    readonly detail: string,
    readonly fields: FieldFault[],
    /** When trying again makes sense, in milliseconds since 1970. */
    readonly retryAt: number | undefined,
    /** The id under which the hub's log has the cause. */
    readonly reference: string | undefined,
  ) {
    super(detail || code);
    this.name = "Problem";
  }
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");

export function toProblem(response: Response, body: unknown, now = Date.now()): Problem {
  const b = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const code = text(b["type"]).split(/[/#:]/).pop() || `status_${response.status}`;
  const errors = Array.isArray(b["errors"]) ? (b["errors"] as Record<string, unknown>[]) : [];
  const fields = errors.map((e) => ({ pointer: text(e["pointer"]), detail: text(e["detail"]) }));
  const reference = text(b["id"]) || text(b["instance"]) || undefined;
  const detail = text(b["detail"]) || text(b["title"]);
  return new Problem(
    response.status,
    code.replaceAll("-", "_"),
    detail,
    fields,
    retryAt(response, b, now),
    reference,
  );
}

function retryAt(response: Response, body: Record<string, unknown>, now: number): number | undefined {
  const until = Date.parse(text(body["until"]));
  if (!Number.isNaN(until)) return until;
  const seconds = Number(response.headers.get("Retry-After") ?? Number.NaN);
  return Number.isFinite(seconds) ? now + seconds * 1000 : undefined;
}

export const isProblem = (error: unknown, status?: number): error is Problem =>
  error instanceof Problem && (status === undefined || error.status === status);
