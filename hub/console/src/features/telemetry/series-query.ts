// The road to a point's past.
import { keepPreviousData, queryOptions, useQueries, useQuery } from "@tanstack/react-query";

import { api, take } from "../../api/client";
import { hubNow } from "../../api/clock";
import type { Series } from "../../api/types";
import type { Language } from "../../i18n/i18n";
import { useNarrow } from "../../ui/width";
import { spanOf, type ChartSearch } from "./chart-search";

const HOUR = 3_600_000;
const HOUR_MARKS = 60;
/** Marks for which there is room. */
const WIDE = 1000;
const NARROW = 360;
const iso = (ms: number): string => new Date(ms).toISOString();

const ask = (points: number[], from: number, to: number, width: number, signal: AbortSignal) =>
  take(
    api.GET("/api/v1/series", {
      params: { query: { points: points.join(","), from: iso(from), to: iso(to), width } },
      signal,
    }),
  );

const lastHourQuery = (points: number[]) =>
  queryOptions({
    queryKey: ["series", "hour", points],
    queryFn: ({ signal }) => {
      const now = hubNow();
      return ask(points, now - HOUR, now, HOUR_MARKS, signal);
    },
    refetchInterval: 60_000,
  });

/** The hub answers for so many points at once. */
const MOST_AT_ONCE = 32;
export function inPieces<T>(all: readonly T[], size = MOST_AT_ONCE): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}

/** The last hour of each of these points, and between which instants it lies. */
export function useLastHour(points: number[]): Map<number, Hour> {
  const answers = useQueries({ queries: inPieces(points).map(lastHourQuery) });
  const found = new Map<number, Hour>();
  for (const { data } of answers) {
    if (!data) continue;
    const between = { from: Date.parse(data.from), to: Date.parse(data.to) };
    for (const one of data.series) found.set(one.point, { ...between, one });
  }
  return found;
}
export interface Hour {
  from: number;
  to: number;
  one: Series["series"][number];
}

/** How often a chart that ends now is asked again: about once a pixel, between five seconds and five minutes. */
export const renewEvery = (spanMs: number): number => Math.min(300_000, Math.max(5000, spanMs / 800));

export const seriesQuery = (points: number[], search: ChartSearch, width: number) => {
  const fixed =
    search.from !== undefined && search.to !== undefined ? ([search.from, search.to] as const) : undefined;
  const span = spanOf(search);
  return queryOptions({
    queryKey: ["series", points, fixed ?? search.range, width],
    queryFn: ({ signal }) => {
      const now = hubNow();
      const [from, to] = fixed ?? [now - span, now];
      return ask(points, from, to, width, signal);
    },
    enabled: points.length > 0,
    placeholderData: keepPreviousData,
    staleTime: fixed ? 60_000 : 0,
    refetchInterval: fixed ? false : renewEvery(span),
  });
};

/** What the chart draws; asked once, however many parts of the page look at it. */
export function useSeries(points: number[], search: ChartSearch) {
  return useQuery(seriesQuery(points, search, useNarrow() ? NARROW : WIDE));
}

/** The same readings as a file; with a bucket as they are drawn, without as they were read. */
export function csvAddress(
  points: number[],
  from: number,
  to: number,
  bucketMs: number,
  language: Language,
): string {
  const bucket = bucketMs > 0 ? `&bucket=${bucketMs}` : "";
  return `/api/v1/series.csv?points=${points.join(",")}&from=${iso(from)}&to=${iso(to)}${bucket}&lang=${language}`;
}
