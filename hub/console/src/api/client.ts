// The one way to the hub: typed by its OpenAPI document, same origin, cookie session.
import createClient, { type Middleware } from "openapi-fetch";

import { observe } from "./clock";
import { isNobodyHere } from "./presence";
import { toProblem, type Problem } from "./problem";
import type { paths } from "./schema";

/** crypto.randomUUID is missing on plain http; getRandomValues is not. */
export function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

const idempotency: Middleware = {
  onRequest({ request }) {
    if (request.method === "POST" && !request.headers.has("Idempotency-Key")) {
      request.headers.set("Idempotency-Key", randomKey());
    }
    return request;
  },
};

export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? "",
  credentials: "same-origin",
});
const clock: Middleware = {
  onResponse({ response }) {
    observe(response.headers.get("Date"));
  },
};

/** The hub does not count it as a use of the session. */
const background: Middleware = {
  onRequest({ request }) {
    if (request.method === "GET" && isNobodyHere()) request.headers.set("steward-background", "1");
    return request;
  },
};

api.use(idempotency, clock, background);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a good answer; anything else is thrown as a [`Problem`]. */
export async function take<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw unreachable(cause);
  }
  if (answer.response.ok) return answer.data as T;
  throw toProblem(answer.response, answer.error);
}

function unreachable(cause: unknown): Problem {
  return toProblem(new Response(null, { status: 599, statusText: "no answer" }), {
    type: "unreachable",
    detail: cause instanceof Error ? cause.message : "",
  });
}

/** All items of a paged list; more than `most` are not worth showing at once. */
export async function takeAll<T>(
  page: (after: string | undefined) => Promise<{ items: T[]; next?: string | null }>,
  most = 5000,
): Promise<T[]> {
  const items: T[] = [];
  let after: string | undefined;
  do {
    const answer = await page(after);
    items.push(...answer.items);
    after = answer.next ?? undefined;
  } while (after !== undefined && items.length < most);
  return items;
}
