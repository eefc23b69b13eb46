// From the hub's answer to what is drawn: its gaps stay gaps, counters may be shown as growth, points of one unit
// share an axis, states have lanes of their own. Pure.
import type { Point, Series } from "../../api/types";
import { isStepped } from "../../format/value";
import type { LiveValue } from "../../live/stream";

type SeriesOne = Series["series"][number];
type Cell = number | null;

/** One point's readings on their own instants (seconds, as uPlot wants them). */
export interface Trace {
  point: number;
  t: number[];
  mid: Cell[];
  low?: Cell[];
  high?: Cell[];
  /** What a counter grew by within the answer. */
  grew?: number;
}

/** Live readings further apart than this many periods, or usual pauses, are the edges of a gap. */
const GAP_PAUSES = 3;
/** A flush may bring several periods at once; below this nothing counts as a gap. */
const GAP_LEAST_MS = 3000;

export function traceOf(one: SeriesOne, point: Point, growth: boolean): Trace {
  if (growth && point.kind === "counter") return growthOf(one, point);
  const t = one.t.map((ms) => ms / 1000);
  const grown = point.kind === "counter" ? { grew: growthIn(one) } : {};
  // The hub knows what pauses a point has and puts a null where there are none of its readings.
  const raw = valuesOf(one);
  if (raw) return { point: point.id, t, mid: raw, ...grown };
  // Of a bucket: a state's share of the time for a flag, its highest code for an enumeration.
  const mid = (point.kind === "enumeration" ? one.max : (one.mean ?? one.max)) ?? [];
  const trace: Trace = { point: point.id, t, mid, ...grown };
  // A counter's band is its growth. An enumeration's says that the state changed within the bucket.
  if ((point.kind === "gauge" || point.kind === "enumeration") && one.min && one.max) {
    trace.low = one.min;
    trace.high = one.max;
  }
  return trace;
}

/** The sum of all steps upward: a meter that was replaced or rolled over begins anew and has not shrunk. */
function growthIn(one: SeriesOne): number {
  let before = one.min?.find((v) => v !== null) ?? undefined;
  let grew = 0;
  for (const total of totalsOf(one)) {
    if (total === null) continue;
    if (before !== undefined && total > before) grew += total - before;
    before = total;
  }
  return grew;
}

const totalsOf = (one: SeriesOne): Cell[] => one.max ?? valuesOf(one) ?? one.mean ?? [];

/** A series holds readings where they fit the width, and buckets where they do not. */
export const holdsReadings = (one: SeriesOne): boolean => one.value != null;

/** The readings that can be drawn: of good quality, and numbers. Nothing where the series holds buckets. */
export function valuesOf(one: SeriesOne): Cell[] | undefined {
  return one.value?.map((v, i) =>
    typeof v === "number" && (one.quality?.[i] ?? "good") === "good" ? v : null,
  );
}

/** A gap behind the answer: what the hub would call one, reckoned from the readings that it sent. */
function gapOf(point: Point, t: readonly number[]): number {
  const pauses = t.slice(1).map((at, i) => (at - (t[i] ?? at)) * 1000);
  const usual = pauses.sort((a, b) => a - b)[pauses.length >> 1] ?? 0;
  return Math.max(GAP_PAUSES * point.period_ms, GAP_PAUSES * usual, GAP_LEAST_MS);
}

/** Puts a null between readings that are too far apart, so that no line is drawn over what nobody saw. */
function opened(ms: number[], values: Cell[], gapMs: number): { t: number[]; mid: Cell[] } {
  const t: number[] = [];
  const mid: Cell[] = [];
  let before: number | undefined;
  ms.forEach((at, i) => {
    const value = values[i] ?? null;
    if (before !== undefined && at - before > gapMs && value !== null && mid.at(-1) !== null) {
      t.push((before + 1) / 1000);
      mid.push(null);
    }
    t.push(at / 1000);
    mid.push(value);
    before = at;
  });
  return { t, mid };
}

/** What a counter grew by from step to step; a step back (replaced, reset) is a gap, not a negative growth. */
function growthOf(one: SeriesOne, point: Point): Trace {
  const totals = totalsOf(one);
  const t: number[] = [];
  const mid: Cell[] = [];
  let before: Cell = null;
  one.t.forEach((ms, i) => {
    const total = totals[i] ?? null;
    t.push(ms / 1000);
    mid.push(total !== null && before !== null && total >= before ? total - before : null);
    if (total !== null) before = total;
  });
  return { point: point.id, t, mid };
}

/** With values that came since the answer; only where the answer holds readings and not buckets. */
export function withLive(trace: Trace, live: readonly LiveValue[], point: Point): Trace {
  const last = trace.t.at(-1) ?? 0;
  const fresh = live.filter((v) => v.point === trace.point && Date.parse(v.at) / 1000 > last);
  if (fresh.length === 0) return trace;
  const cells = fresh.map((v) => (v.quality === "good" && typeof v.value === "number" ? v.value : null));
  const all = [...trace.t, ...fresh.map((v) => Date.parse(v.at) / 1000)];
  const begin = trace.t.length;
  // Only the live tail is opened: the hub has placed the gaps of its answer.
  const tail = opened(
    all.slice(Math.max(0, begin - 1)).map((s) => s * 1000),
    [...trace.mid.slice(-1), ...cells],
    gapOf(point, trace.t),
  );
  return {
    ...trace,
    t: [...trace.t.slice(0, -1), ...tail.t],
    mid: [...trace.mid.slice(0, -1), ...tail.mid],
  };
}

export interface Lane {
  key: string;
  kind: "lines" | "states";
  /** One or two units share a lane, each with its axis. */
  units: string[];
  points: Point[];
}

/** Lines of up to two units lie over each other; a third unit begins another lane; each state has its own. */
export function lanesOf(points: Point[]): Lane[] {
  const lanes: Lane[] = [];
  for (const point of points.filter((p) => !isStepped(p.kind))) {
    const fitting = lanes.find((l) => l.units.includes(point.unit)) ?? lanes.find((l) => l.units.length < 2);
    if (fitting) {
      fitting.points.push(point);
      if (!fitting.units.includes(point.unit)) fitting.units.push(point.unit);
    } else lanes.push({ key: `u${point.unit}`, kind: "lines", units: [point.unit], points: [point] });
  }
  for (const point of points.filter((p) => isStepped(p.kind))) {
    lanes.push({ key: `p${point.id}`, kind: "states", units: [point.unit], points: [point] });
  }
  return lanes;
}

/** The value nearest to an instant, no further than `within` seconds; null where it is a gap or nothing. */
export function nearest(trace: Trace, at: number, within: number): { i: number; t: number } | undefined {
  const { t } = trace;
  let low = 0;
  let high = t.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((t[middle] ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  const candidates = [low - 1, low].filter((i) => i >= 0 && i < t.length);
  let best: { i: number; t: number } | undefined;
  for (const i of candidates) {
    const each = t[i];
    if (each === undefined || Math.abs(each - at) > within) continue;
    if (!best || Math.abs(each - at) < Math.abs(best.t - at)) best = { i, t: each };
  }
  return best;
}

export interface Summary {
  low: number;
  high: number;
  mean: number;
  last: number;
}

export function summaryOf(trace: Trace): Summary | undefined {
  const numbers = trace.mid.filter((v): v is number => v !== null && v !== undefined);
  const last = numbers.at(-1);
  if (last === undefined) return undefined;
  const lows = trace.low ? trace.low.filter((v): v is number => v !== null) : numbers;
  const highs = trace.high ? trace.high.filter((v): v is number => v !== null) : numbers;
  return {
    low: lows.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    high: highs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
    mean: numbers.reduce((a, b) => a + b, 0) / numbers.length,
    last,
  };
}
