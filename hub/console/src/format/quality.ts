// How far a latest value may be trusted: the hub's word, its age by the hub's clock, and whether its gateway is there.
import type { Latest, Point } from "../api/types";

/** Two clocks differ by seconds; a value further ahead was not read "just now". */
export const AHEAD_MS = 60_000;

export const QUALITIES = [
  "good",
  "stale",
  "no_value",
  "undecodable",
  "no_reply",
  "bad_reply",
  "line_down",
  "out_of_range",
  "too_fast",
  "stuck",
  "held_back",
  "refused",
] as const;
/** `ahead` is our own word: its instant lies in the future. */
export type Quality = (typeof QUALITIES)[number] | "ahead";

/**
 * The word to show; a good value past the age that the hub allows its point, or of a gateway that is away, is `stale`
 * and never shown as good. The hub's own `stale` is of the moment of its answer; this goes on from there.
 */
export function qualityNow(
  latest: Latest,
  { fresh_for_ms: freshFor }: Pick<Point, "fresh_for_ms">,
  now: number,
  away: boolean,
): Quality {
  const word = (QUALITIES as readonly string[]).includes(latest.quality)
    ? (latest.quality as Quality)
    : "undecodable";
  if (word !== "good") return word;
  const age = now - Date.parse(latest.at);
  if (age < -AHEAD_MS) return "ahead";
  return away || age > freshFor ? "stale" : "good";
}
