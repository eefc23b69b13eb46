// How far a latest value may be trusted: the hub's word, and its age by the hub's clock.
import type { Latest } from "../api/types";

/** A watched point comes within its period; an unwatched one with the gateway's next flush. */
const FLUSH_ALLOWANCE_MS = 30_000;

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
export type Quality = (typeof QUALITIES)[number];

export const staleAfter = (periodMs: number): number => 3 * periodMs + FLUSH_ALLOWANCE_MS;

/** The word to show; a good value past its age is `stale`, and never shown as good. */
export function qualityNow(latest: Latest, periodMs: number, now: number): Quality {
  const word = (QUALITIES as readonly string[]).includes(latest.quality)
    ? (latest.quality as Quality)
    : "undecodable";
  if (word !== "good") return word;
  return now - Date.parse(latest.at) > staleAfter(periodMs) ? "stale" : "good";
}
