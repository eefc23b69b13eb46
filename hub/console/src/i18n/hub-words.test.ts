// Every word that the hub can send has a text in both languages. Its sources are read, so that a new word of the hub
// is a red test here; and every text of ours is used somewhere.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { QUALITIES } from "../format/quality";
import { en } from "./en";
import { zh } from "./zh";

const ROOT = join(import.meta.dirname, "../../../..");

function sources(folder: string, are: (name: string) => boolean): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter(are)
    .map((name) => readFileSync(join(ROOT, folder, name), "utf8"));
}

const isRust = (name: string) => name.endsWith(".rs") && !/(^|\/)tests?(\.rs$|\/)|testing/.test(name);
const rust = (folder: string): string =>
  sources(folder, isRust)
    .map((text) => text.split("#[cfg(test)]\nmod ")[0] ?? "")
    .join("\n");
const hub = rust("hub/src");
const found = (text: string, pattern: string): string[] =>
  [...new Set([...text.matchAll(new RegExp(pattern, "g"))].map((m) => m[1] ?? ""))].filter(Boolean).sort();

const WORD = '"([a-z][a-z0-9_]*)"';
const problems = [
  ...found(hub, `(?:Problem|Self)::new\\(\\s*[\\w:]+,\\s*${WORD}`),
  ...found(hub, `::(?:bad_request|conflict|too_many|unavailable)\\(\\s*${WORD}`),
];
const fields = [
  ...found(hub, `(?:Problem|Self|Refusal)::field\\(\\s*[^,]+,\\s*${WORD}`),
  ...found(hub, `FieldError::new\\(\\s*[^,]+,\\s*${WORD}`),
  ...found(hub, `\\bcode: ${WORD}`),
  // What the extractors find out about a body or a query.
  ...["required", "unknown_field"],
];
const pointers = found(hub, '(?:\\(|pointer: )\\s*"([/?][a-z_]+)"').filter((name) => name !== "/api");
const happenings = found(hub.split("pub mod kind {")[1]?.split("\n}")[0] ?? "", `&str = ${WORD}`);
const events = [
  ...found(rust("shared/src").split("impl EventKind {")[1]?.split("\n}")[0] ?? "", `Self::\\w+ => ${WORD}`),
  ...happenings,
];
const qualities = found(
  readFileSync(join(ROOT, "shared/src/reading.rs"), "utf8").split("#[cfg(test)]")[0] ?? "",
  `Self::\\w+(?:\\(_\\))? => ${WORD}`,
);
const troubles = found(
  rust("edge/src/doctor").split("fn word(")[1]?.split("\n    }\n")[0] ?? "",
  `Self::\\w+ => ${WORD}`,
);
const command = readFileSync(join(ROOT, "shared/src/wire/command.rs"), "utf8");
const reasons = found(command.split("pub mod reason {")[1]?.split("\n}")[0] ?? "", `&str = ${WORD}`);
const stages = found(command.split("impl Stage {")[1]?.split("\n}")[0] ?? "", `Self::\\w+ => ${WORD}`);
const states = found(hub.split("impl State {")[1]?.split("\n}")[0] ?? "", `Self::\\w+ => ${WORD}`);
const STATUSES = [400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 428, 429, 500, 503];

function isTranslated(key: string): void {
  for (const words of [zh, en]) expect(words).toHaveProperty([key]);
}

describe("the hub's words", () => {
  it("are found in its sources", () => {
    expect(problems).toContain("wrong_password");
    expect(problems.length).toBeGreaterThan(20);
    expect(fields).toContain("out_of_range");
    expect(pointers).toEqual(expect.arrayContaining(["?points", "/current"]));
    expect(events).toEqual(expect.arrayContaining(["device_silent", "cloned_gateway"]));
    expect(troubles).toContain("two_answers");
    expect(reasons).toContain("overridden");
    expect(stages).toContain("not_effective");
    expect(states).toContain("awaiting_approval");
    expect(qualities).toEqual([...QUALITIES].sort());
  });
  it.each(problems)("problem %s", (code) => isTranslated(`problem.${code}`));
  it.each(STATUSES)("status %i", (status) => isTranslated(`problem.status_${status}`));
  it.each(fields)("fault of a field: %s", (code) => isTranslated(`field.${code}`));
  it.each(pointers)("field %s", (pointer) => isTranslated(`field.name.${pointer}`));
  it.each(events)("event %s", (kind) => isTranslated(`event.${kind}`));
  it.each(happenings)("the facts of %s", (kind) => {
    const said = Object.keys(zh).some((key) => key.startsWith(`event.facts.${kind}`));
    expect(said || kind === "gateway_silent").toBe(true);
  });
  it.each(reasons)("reason of a command: %s", (word) => isTranslated(`command.reason.${word}`));
  it.each(stages)("step of a command: %s", (word) => isTranslated(`command.step.${word}`));
  it.each(states)("state of a command: %s", (word) => isTranslated(`command.state.${word}`));
  it.each(troubles)("trouble %s", (what) => isTranslated(`trouble.${what}`));
  it.each(qualities)("quality %s", (word) => {
    isTranslated(`quality.${word}`);
    isTranslated(`quality.why.${word}`);
  });
});

it("every text is used", () => {
  const isOurs = (name: string) =>
    /\.tsx?$/.test(name) && !name.includes(".test.") && !/i18n[/\\](zh|en)\.ts$/.test(name);
  const ours = sources("hub/console/src", isOurs).join("\n");
  const made = found(ours, "`([a-z][\\w.]*\\.)\\$\\{");
  const unused = Object.keys(zh).filter(
    (key) => !ours.includes(`"${key}"`) && !made.some((beginning) => key.startsWith(beginning)),
  );
  expect(unused).toEqual([]);
});
