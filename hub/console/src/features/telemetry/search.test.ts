import { describe, expect, it } from "vitest";

import { wrapped } from "./chart-picture";
import { readChartSearch, readPoints, windowOf, MOST_POINTS } from "./chart-search";
import { readExploreSearch } from "./explore-search";
import { timeText } from "./chart-time";
import { csvAddress, inPieces, renewEvery } from "./series-query";

describe("a chart's address", () => {
  it("gives its points, range and way of showing back", () => {
    expect(readChartSearch({ points: "3,1,3", range: "7d", growth: "1" })).toEqual({
      points: "3,1",
      range: "7d",
      growth: "1",
    });
  });
  it("with a fixed time has no range", () => {
    expect(readChartSearch({ points: "1", range: "7d", from: "1000", to: "90000" })).toEqual({
      points: "1",
      from: 1000,
      to: 90000,
    });
  });
  it("that somebody mistyped shows what can be shown", () => {
    expect(readChartSearch({ points: "a,-1,2.5,7", range: "9y", from: "x", to: 5 })).toEqual({ points: "7" });
    expect(readChartSearch({ from: "90000", to: "1000" })).toEqual({});
  });
  it("takes no more points than can be told apart", () => {
    expect(readPoints(Array.from({ length: 40 }, (_, i) => i + 1).join())).toHaveLength(MOST_POINTS);
  });
});

it("a window is never narrower than what can be told apart", () => {
  expect(windowOf(1000, 1001)).toEqual({ from: -3999, to: 6001 });
});

it("a window does not reach beyond what has a date", () => {
  expect(readChartSearch({ from: "0", to: "9000000000000000" })).toEqual({});
  const { from, to } = windowOf(-9e15, 9e15);
  expect(() => [new Date(from).toISOString(), new Date(to).toISOString()]).not.toThrow();
});

it("the tree's address keeps only what it knows", () => {
  expect(readExploreSearch({ node: "site:1", q: "x", only: "silent" })).toEqual({
    node: "site:1",
    q: "x",
    only: "silent",
  });
  expect(readExploreSearch({ node: "device:1", q: "", only: "loud" })).toEqual({});
});

it("a file is asked for with the chart's own time", () => {
  expect(csvAddress([1, 2], 0, 60_000, 1000, "zh")).toBe(
    "/api/v1/series.csv?points=1,2&from=1970-01-01T00:00:00.000Z&to=1970-01-01T00:01:00.000Z&bucket=1000&lang=zh",
  );
});

it("a file of readings is asked for without a bucket", () => {
  expect(csvAddress([1], 0, 60_000, 0, "en")).not.toContain("bucket");
});

it("a chart that ends now is asked again about once a pixel", () => {
  expect(renewEvery(3_600_000)).toBe(5000);
  expect(renewEvery(30 * 86_400_000)).toBe(300_000);
});

it("a picture's long title is broken where a reader would break it", () => {
  const width = (text: string) => [...text].length;
  expect(wrapped("Main meter · Power, Chiller 1", 14, width)).toEqual([
    "Main meter ·",
    "Power, Chiller",
    "1",
  ]);
  expect(wrapped("冷冻水供水温度", 4, width)).toEqual(["冷冻水供", "水温度"]);
  expect(wrapped("short", 40, width)).toEqual(["short"]);
});

it("points are asked for in pieces that the hub takes", () => {
  const pieces = inPieces(Array.from({ length: 70 }, (_, i) => i));
  expect(pieces.map((piece) => piece.length)).toEqual([32, 32, 6]);
  expect(pieces.flat()).toHaveLength(70);
  expect(inPieces([])).toEqual([]);
});

it("a time axis tells the year where it begins", () => {
  const at = (text: string) => new Date(text).getTime() / 1000;
  expect(timeText(at("2026-01-01T00:00:00"), 86_400)).toBe("2026-01-01");
  expect(timeText(at("2026-01-02T00:00:00"), 3600)).toBe("01-02");
  expect(timeText(at("2026-03-01T00:00:00"), 30 * 86_400)).toBe("2026-03");
  expect(timeText(at("2026-03-01T08:30:00"), 3600)).toBe("08:30");
});
