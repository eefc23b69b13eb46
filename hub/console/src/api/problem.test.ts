import { describe, expect, it } from "vitest";

import { makeI18n } from "../i18n/i18n";
import { faultText } from "../parts/fault";
import { take, takeAll } from "./client";
import { isNobodyHere, noteSomebody, watchPresence } from "./presence";
import { isLoggedOut, isProblem, toProblem } from "./problem";

const answer = (status: number, headers: Record<string, string> = {}) =>
  new Response(null, { status, headers });

describe("a problem", () => {
  it("tells its code, its fields and when to try again", () => {
    const problem = toProblem(
      answer(429, { "Retry-After": "60" }),
      {
        type: "/problems/locked",
        detail: "d",
        errors: [{ pointer: "/user", code: "bad_name", detail: "x" }],
      },
      1000,
    );
    expect(problem.code).toBe("locked");
    expect(problem.retryAt).toBe(61_000);
    expect(problem.fields).toEqual([{ pointer: "/user", code: "bad_name", detail: "x" }]);
  });
  it("is translated by its code, else by its status", () => {
    const i18n = makeI18n("en");
    expect(faultText(toProblem(answer(401), { type: "/problems/wrong_password" }), i18n)).toContain("wrong");
    expect(faultText(toProblem(answer(403), { type: "/problems/never_heard" }), i18n)).toContain("role");
    expect(faultText(new Error("x"), i18n)).toContain("unexpected");
  });
  it("of a lock says until when", () => {
    const problem = toProblem(answer(429, { "Retry-After": "60" }), { type: "/problems/locked" });
    expect(faultText(problem, makeI18n("en"))).toMatch(/after \d{4}-\d\d-\d\d \d\d:\d\d:\d\d/);
  });
});

it("a hub that cannot be reached is a problem too", async () => {
  const failed = take(Promise.reject<never>(new TypeError("Failed to fetch")));
  await expect(failed).rejects.toSatisfy((e) => isProblem(e) && e.code === "unreachable");
});

it("a session that is over is no wrong password", () => {
  expect(isLoggedOut(toProblem(answer(401), { type: "/problems/not_logged_in" }))).toBe(true);
  expect(isLoggedOut(toProblem(answer(401), { type: "/problems/wrong_password" }))).toBe(false);
  expect(isLoggedOut(toProblem(answer(403), {}))).toBe(false);
});

it("a page that asks by itself says so when nobody was here for a while", () => {
  noteSomebody(1000);
  expect(isNobodyHere(61_000)).toBe(false);
  expect(isNobodyHere(61_001)).toBe(true);
  const window = new EventTarget();
  watchPresence(window);
  window.dispatchEvent(new Event("keydown"));
  expect(isNobodyHere()).toBe(false);
});

it("pages are read to the end", async () => {
  const pages: Record<string, { items: number[]; next: string | null }> = {
    first: { items: [1, 2], next: "b" },
    b: { items: [3], next: null },
  };
  const all = await takeAll((after) => Promise.resolve(pages[after ?? "first"] ?? { items: [], next: null }));
  expect(all).toEqual([1, 2, 3]);
});
