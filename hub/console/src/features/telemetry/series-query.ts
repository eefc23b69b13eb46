// The road to a point's past.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { api, take } from "../../api/client";
import { hubNow } from "../../api/clock";
import { spanOf, type ChartSearch } from "./chart-search";

const HOUR = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();

const ask = (points: number[], from: number, to: number, width: number, signal: AbortSignal) =>
  take(
    api.GET("/api/v1/series", {
      params: { query: { points: points.join(","), from: iso(from), to: iso(to), width } },
      signal,
    }),
  );

export const lastHourQuery = (points: number[]) =>
  queryOptions({
    queryKey: ["series", "hour", points],
    queryFn: ({ signal }) => ask(points, hubNow() - HOUR, hubNow(), 60, signal),
    enabled: points.length > 0,
    refetchInterval: 60_000,
  });

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

/** The same readings as a file; with a bucket as they are drawn, without as they were read. */
export function csvAddress(points: number[], from: number, to: number, bucketMs?: number): string {
  const bucket = bucketMs ? `&bucket=${bucketMs}` : "";
  return `/api/v1/series.csv?points=${points.join(",")}&from=${iso(from)}&to=${iso(to)}${bucket}`;
}
