// How far a latest value may be trusted: the hub's word, its age by the hub's clock, and whether its gateway is there.
import type { Latest } from "../api/types";

/** A watched point comes within its period; an unwatched one with the gateway's next flush. */
const FLUSH_ALLOWANCE_MS = 30_000;
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
  "refused",
] as const;
/** `ahead` is our own word: its instant lies in the future. */
export type Quality = (typeof QUALITIES)[number] | "ahead";

export const staleAfter = (periodMs: number): number => 3 * periodMs + FLUSH_ALLOWANCE_MS;

/** The word to show; a good value past its age, or of a gateway that is away, is `stale` and never shown as good. */
export function qualityNow(latest: Latest, periodMs: number, now: number, away: boolean): Quality {
  const word = (QUALITIES as readonly string[]).includes(latest.quality)
    ? (latest.quality as Quality)
    : "undecodable";
  if (word !== "good") return word;
  const age = now - Date.parse(latest.at);
  if (age < -AHEAD_MS) return "ahead";
  return away || age > staleAfter(periodMs) ? "stale" : "good";
}
