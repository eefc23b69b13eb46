// What a chart keeps in the address: its points, its time, its way of showing. A link shows what its sender saw.

export const RANGES = ["1h", "24h", "7d", "30d"] as const;
export type Range = (typeof RANGES)[number];

export interface ChartSearch {
  /** Ids with commas. */
  points?: string;
  /** Up to now; `24h` unless said. */
  range?: Range;
  /** A fixed time instead, in milliseconds since 1970. */
  from?: number;
  to?: number;
  /** Counters as what they grew by per step instead of as totals. */
  growth?: "1";
}

const HOUR = 3_600_000;
const SPANS: Record<Range, number> = {
  "1h": HOUR,
  "24h": 24 * HOUR,
  "7d": 7 * 24 * HOUR,
  "30d": 30 * 24 * HOUR,
};
export const DEFAULT_RANGE: Range = "24h";
export const MOST_POINTS = 12;
export const LEAST_SPAN_MS = 10_000;
/** Further no calendar of a browser reaches. */
const LAST_INSTANT_MS = 8.64e15;

export function readChartSearch(raw: Record<string, unknown>): ChartSearch {
  const search: ChartSearch = {};
  const points = readPoints(raw["points"]);
  if (points.length > 0) search.points = points.join(",");
  if ((RANGES as readonly unknown[]).includes(raw["range"]) && raw["range"] !== DEFAULT_RANGE) {
    search.range = raw["range"] as Range;
  }
  const from = readInstant(raw["from"]);
  const to = readInstant(raw["to"]);
  if (from !== undefined && to !== undefined && to - from >= LEAST_SPAN_MS) {
    search.from = from;
    search.to = to;
    delete search.range;
  }
  if (raw["growth"] === "1" || raw["growth"] === 1) search.growth = "1";
  return search;
}

export function readPoints(raw: unknown): number[] {
  if (typeof raw !== "string" && typeof raw !== "number") return [];
  const ids = String(raw)
    .split(",")
    .map(Number)
    .filter((id) => Number.isSafeInteger(id) && id > 0);
  return [...new Set(ids)].slice(0, MOST_POINTS);
}

function readInstant(raw: unknown): number | undefined {
  if (typeof raw !== "string" && typeof raw !== "number") return undefined;
  const ms = /^-?\d+$/.test(String(raw)) ? Number(raw) : Date.parse(String(raw));
  return Math.abs(ms) <= LAST_INSTANT_MS ? ms : undefined;
}

export const rangeOf = (search: ChartSearch): Range => search.range ?? DEFAULT_RANGE;
export const isFixed = (search: ChartSearch): boolean => search.from !== undefined && search.to !== undefined;
export const spanOf = (search: ChartSearch): number =>
  search.from !== undefined && search.to !== undefined ? search.to - search.from : SPANS[rangeOf(search)];

/** A fixed window, whole milliseconds, never narrower than what can be told apart nor beyond what has a date. */
export function windowOf(from: number, to: number): { from: number; to: number } {
  const middle = (from + to) / 2;
  const half = Math.max(LEAST_SPAN_MS, to - from) / 2;
  const dated = (ms: number) => Math.min(LAST_INSTANT_MS, Math.max(-LAST_INSTANT_MS, Math.round(ms)));
  return { from: dated(middle - half), to: dated(middle + half) };
}
