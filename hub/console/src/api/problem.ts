// What the hub says when it says no (RFC 9457): a code to translate, fields to point at, an instant to wait for.

export interface FieldFault {
  pointer: string;
  /** Stable word, translated by the dictionary as `field.<code>`. */
  code: string;
  detail: string;
}

export class Problem extends Error {
  constructor(
    readonly status: number,
    /** Last part of the problem's `type`: stable, translated by the dictionary as `problem.<code>`. */
    readonly code: string,
    readonly detail: string,
    readonly fields: FieldFault[],
    /** What a translation needs: names, limits. */
    readonly params: Record<string, string | number>,
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
  const fields = errors.map((e) => ({
    pointer: text(e["pointer"]),
    code: text(e["code"]),
    detail: text(e["detail"]),
  }));
  const reference = text(b["id"]) || undefined;
  const detail = text(b["detail"]) || text(b["title"]);
  return new Problem(
    response.status,
    code.replaceAll("-", "_"),
    detail,
    fields,
    params(b["params"]),
    retryAt(response, b, now),
    reference,
  );
}

function retryAt(response: Response, body: Record<string, unknown>, now: number): number | undefined {
  const until = Date.parse(text((body["params"] as Record<string, unknown> | undefined)?.["until"]));
  if (!Number.isNaN(until)) return until;
  const seconds = Number(response.headers.get("Retry-After") ?? Number.NaN);
  return Number.isFinite(seconds) ? now + seconds * 1000 : undefined;
}

export const isProblem = (error: unknown, status?: number): error is Problem =>
  error instanceof Problem && (status === undefined || error.status === status);

/** Nobody is logged in (any more); a wrong password is another matter. */
export const isLoggedOut = (error: unknown): boolean =>
  isProblem(error, 401) && error.code !== "wrong_password";

function params(value: unknown): Record<string, string | number> {
  const found: Record<string, string | number> = {};
  if (typeof value !== "object" || value === null) return found;
  for (const [name, each] of Object.entries(value)) {
    if (typeof each === "string" || typeof each === "number") found[name] = each;
  }
  return found;
}
