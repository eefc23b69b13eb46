import { describe, expect, it } from "vitest";

import type { Point } from "../../api/types";
import { lanesOf, nearest, summaryOf, traceOf, withLive } from "./chart-data";

const point = (over: Partial<Point>): Point =>
  ({
    id: 1,
    device: "d",
    key: "k",
    title: { zh: "", en: "" },
    unit: "kW",
    kind: "gauge",
    labels: [],
    period_ms: 1000,
    decimals: 1,
    in_use: true,
    ...over,
  }) as Point;

describe("a course of readings", () => {
  it("keeps the hub's gaps", () => {
    const trace = traceOf({ point: 1, t: [1000, 2000, 3000], value: [1, null, 3] }, point({}), false);
    expect(trace.mid).toEqual([1, null, 3]);
    expect(trace.t).toEqual([1, 2, 3]);
  });
  it("that is coarser than its point's period is a line, where the hub sees no gap", () => {
    const hours = { point: 1, t: [0, 60_000, 120_000, 180_000], value: [1, 2, 3, 4] };
    expect(traceOf(hours, point({ period_ms: 1000 }), false).mid).toEqual([1, 2, 3, 4]);
  });
  it("draws nothing that is not of good quality", () => {
    const trace = traceOf(
      { point: 1, t: [1000, 2000], value: [1, 2], quality: ["good", "stale"] },
      point({}),
      false,
    );
    expect(trace.mid).toEqual([1, null]);
  });
});

describe("a course of buckets", () => {
  const one = { point: 1, t: [0, 60_000], min: [1, null], mean: [2, null], max: [3, null] };
  it("has a band", () => {
    const trace = traceOf(one, point({}), false);
    expect([trace.low, trace.mid, trace.high]).toEqual([
      [1, null],
      [2, null],
      [3, null],
    ]);
  });
  it("of an enumeration says that its state changed within the bucket", () => {
    expect(traceOf(one, point({ kind: "enumeration" }), false)).toMatchObject({
      low: [1, null],
      high: [3, null],
    });
  });
  it("of a counter has none, for its ends are its growth", () => {
    expect(traceOf(one, point({ kind: "counter" }), false).low).toBeUndefined();
  });
});

describe("what a counter grew by", () => {
  const counter = point({ kind: "counter" });
  it("is the sum of its steps upward, over a rollover or a replacement too", () => {
    const raw = { point: 1, t: [0, 1, 2, 3, 4], value: [90, 99, 2, null, 7] };
    expect(traceOf(raw, counter, false).grew).toBe(9 + 5);
    const buckets = { point: 1, t: [0, 1, 2], min: [90, 2, null], mean: [92, 3, null], max: [95, 5, null] };
    expect(traceOf(buckets, counter, false).grew).toBe(5);
    expect(traceOf({ ...buckets, min: [90, 96], mean: [92, 99], max: [95, 110] }, counter, false).grew).toBe(
      20,
    );
  });
});

describe("a counter as growth", () => {
  const counter = point({ kind: "counter" });
  it("is what was added since the step before", () => {
    expect(traceOf({ point: 1, t: [0, 1, 2], max: [10, 12, 15] }, counter, true).mid).toEqual([null, 2, 3]);
  });
  it("never falls: a replaced meter is a gap", () => {
    expect(traceOf({ point: 1, t: [0, 1, 2], max: [10, 2, 5] }, counter, true).mid).toEqual([null, null, 3]);
  });
  it("counts what grew over a gap once", () => {
    expect(traceOf({ point: 1, t: [0, 1, 2], max: [10, null, 15] }, counter, true).mid).toEqual([
      null,
      null,
      5,
    ]);
  });
});

describe("live values", () => {
  const at = (s: number) => new Date(s * 1000).toISOString();
  const trace = { point: 1, t: [1, 2], mid: [1, 2] };
  it("follow the answer, and older ones are left out", () => {
    const next = withLive(
      trace,
      [
        { point: 1, at: at(2), value: 9, quality: "good" },
        { point: 1, at: at(3), value: 3, quality: "good" },
        { point: 2, at: at(3), value: 7, quality: "good" },
      ],
      point({}),
    );
    expect(next).toEqual({ point: 1, t: [1, 2, 3], mid: [1, 2, 3] });
  });
  it("are one line with a coarse answer, and a gap where they stay away for long", () => {
    const coarse = { point: 1, t: [0, 60, 120, 180], mid: [1, 2, 3, 4] };
    const value = (s: number) => ({ point: 1, at: at(s), value: 9, quality: "good" });
    expect(withLive(coarse, [value(240), value(241)], point({})).mid).toEqual([1, 2, 3, 4, 9, 9]);
    expect(withLive(coarse, [value(361)], point({})).mid).toEqual([1, 2, 3, 4, null, 9]);
    expect(withLive({ point: 1, t: [], mid: [] }, [value(1)], point({})).mid).toEqual([9]);
  });
  it("of bad quality are a gap", () => {
    const next = withLive(trace, [{ point: 1, at: at(3), value: null, quality: "no_reply" }], point({}));
    expect(next.mid).toEqual([1, 2, null]);
  });
});

describe("lanes", () => {
  it("hold two units at most, and states stand alone", () => {
    const lanes = lanesOf([
      point({ id: 1, unit: "kW" }),
      point({ id: 2, unit: "Cel" }),
      point({ id: 3, unit: "Hz" }),
      point({ id: 4, unit: "kW" }),
      point({ id: 5, kind: "flag" }),
    ]);
    expect(lanes.map((l) => l.points.map((p) => p.id))).toEqual([[1, 2, 4], [3], [5]]);
    expect(lanes.at(-1)?.kind).toBe("states");
  });
});

it("the nearest reading is found within reach only", () => {
  const trace = { point: 1, t: [10, 20, 30], mid: [1, 2, 3] };
  expect(nearest(trace, 21, 5)?.i).toBe(1);
  expect(nearest(trace, 26, 5)?.i).toBe(2);
  expect(nearest(trace, 100, 5)).toBeUndefined();
  expect(nearest({ point: 1, t: [], mid: [] }, 1, 5)).toBeUndefined();
});

it("a summary takes lows and highs from the band", () => {
  expect(summaryOf({ point: 1, t: [1, 2], mid: [2, 4], low: [1, 3], high: [5, 9] })).toEqual({
    low: 1,
    high: 9,
    mean: 3,
    last: 4,
  });
  expect(summaryOf({ point: 1, t: [1], mid: [null] })).toBeUndefined();
});
