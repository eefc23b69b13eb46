// The chart itself: lanes under each other on one time, a tip at the pointer, a legend that tells the figures.
import { Skeleton } from "antd";
import { useCallback, useMemo, useRef, useState } from "react";
import type uPlot from "uplot";

import { hubNow } from "../../api/clock";
import type { Point } from "../../api/types";
import { instant, offset, zone } from "../../format/time";
import { unitSymbol } from "../../format/unit";
import { formatValue } from "../../format/value";
import { useI18n } from "../../i18n/i18n";
import { useLiveValues, useWatch } from "../../live/live";
import { useNow } from "../../live/now";
import type { LiveValue } from "../../live/stream";
import { Fault } from "../../parts/fault";
import { usePreferences } from "../../parts/preferences";
import { LaneGroup } from "../../ui/lane-group";
import { TimePlot, type PlotAxis } from "../../ui/time-plot";
import { useNarrow } from "../../ui/width";
import { holdsReadings, lanesOf, nearest, traceOf, withLive, type Lane, type Trace } from "./chart-data";
import { LegendItem } from "./chart-legend";
import { lineColor, look } from "./chart-look";
import { isFixed, spanOf, windowOf, type ChartSearch } from "./chart-search";
import { timeText } from "./chart-time";
import type { FullName } from "./point-name";
import { useSeries } from "./series-query";

const LIVE_KEPT = 4000;
const SMOOTH_BELOW_MS = 2 * 3_600_000;
const LANE_HEIGHT = 360;
const LANE_HEIGHT_MORE = 240;
const STATE_HEIGHT = 84;
const TIME_AXIS = 34;

interface Props {
  search: ChartSearch;
  set: (change: Partial<ChartSearch>) => void;
  points: Point[];
  fullName: FullName;
  /** Whether the gateway of a point is away. */
  awayOf: (point: Point) => boolean;
  plots: Map<string, uPlot>;
  remove: (id: number) => void;
}

export function ChartView({ search, set, points, fullName, awayOf, plots, remove }: Props) {
  const { t } = useI18n();
  const { dark } = usePreferences();
  const narrow = useNarrow();
  const fixed = isFixed(search);
  const span = spanOf(search);
  const ids = useMemo(() => points.map((p) => p.id), [points]);
  const series = useSeries(ids, search);
  const live = useLiveTail(fixed ? [] : ids);
  const growth = search.growth === "1";
  const [group] = useState(() => new LaneGroup());
  const now = useNow();

  const traces = useMemo(() => {
    const found = new Map<number, Trace>();
    for (const one of series.data?.series ?? []) {
      const point = points.find((p) => p.id === one.point);
      if (!point) continue;
      const trace = traceOf(one, point, growth);
      const glides = holdsReadings(one) && !(growth && point.kind === "counter");
      found.set(point.id, glides ? withLive(trace, live, point) : trace);
    }
    return found;
  }, [series.data, points, growth, live]);

  const answered = series.data ? Date.parse(series.data.to) : hubNow();
  // A short window glides with the clock; a long one moves with each answer.
  const to = fixed ? (search.to ?? 0) : span <= SMOOTH_BELOW_MS ? now : Math.max(answered, now - span / 100);
  const from = fixed ? (search.from ?? 0) : to - span;
  const lanes = useMemo(() => lanesOf(points), [points]);
  const onWindow = useCallback(
    (first: number, last: number) => set({ ...windowOf(first * 1000, last * 1000), range: undefined }),
    [set],
  );
  const onKey = (event: React.KeyboardEvent) => {
    // With one of these the key is the browser's.
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== event.currentTarget) return;
    const by = { ArrowLeft: -0.25, ArrowRight: 0.25 }[event.key];
    const zoom = { "+": 0.5, "=": 0.5, "-": 2 }[event.key];
    if (by !== undefined) onWindow((from + by * span) / 1000, (to + by * span) / 1000);
    else if (zoom !== undefined) {
      const half = (span * zoom) / 2000;
      onWindow((from + to) / 2000 - half, (from + to) / 2000 + half);
    } else if (event.key === "Escape") set({ from: undefined, to: undefined });
    else return;
    event.preventDefault();
  };

  if (series.isError && !series.data) {
    return (
      <div className="st-panel-body">
        <Fault error={series.error} again={() => void series.refetch()} />
      </div>
    );
  }
  if (!series.data) {
    return (
      <div className="st-panel-body" aria-busy="true">
        <Skeleton active paragraph={{ rows: 9 }} title={false} />
      </div>
    );
  }
  const blank = [...traces.values()].every((trace) => trace.mid.every((v) => v === null));
  const colorOf = (id: number) => lineColor(ids.indexOf(id), dark);
  const lineLanes = lanes.filter((l) => l.kind === "lines").length;
  return (
    <>
      <div
        className="st-chart-area"
        tabIndex={0}
        role="group"
        aria-label={t("chart.keys")}
        onKeyDown={onKey}
        onDoubleClick={() => set({ from: undefined, to: undefined })}
        data-bucket={series.data.bucket_ms}
      >
        {lanes.map((lane, i) => {
          const isLast = i === lanes.length - 1;
          const body =
            lane.kind === "states" ? STATE_HEIGHT : lineLanes > 1 || narrow ? LANE_HEIGHT_MORE : LANE_HEIGHT;
          return (
            <LanePlot
              key={lane.key}
              lane={lane}
              ids={ids}
              points={points}
              traces={traces}
              fullName={fullName}
              growth={growth}
              from={from / 1000}
              to={to / 1000}
              height={body + (isLast ? TIME_AXIS : 0)}
              timeAxis={isLast}
              onWindow={onWindow}
              group={group}
              plots={plots}
            />
          );
        })}
        {blank && (
          <div className="st-chart-blank">
            <strong>{t("chart.blank.title")}</strong>
            <span>{t("chart.blank.text")}</span>
          </div>
        )}
      </div>
      <div className="st-chart-note st-quiet st-small">
        <span>
          {series.data.bucket_ms > 0
            ? t("chart.bucket", { size: bucketText(series.data.bucket_ms, t) })
            : t("chart.raw")}
        </span>
        <span className="st-num">{t("chart.zone", { zone: zone(to) })}</span>
        {series.isFetching && fixed && <span>{t("state.loading")}</span>}
        {series.isError && <span className="st-tone-bad">{t("chart.old")}</span>}
        <span className="st-chart-hint">{t("chart.hint")}</span>
      </div>
      <div className="st-legend">
        {points.map((p) => (
          <LegendItem
            key={p.id}
            point={p}
            trace={traces.get(p.id)}
            color={colorOf(p.id)}
            label={fullName(p)}
            away={awayOf(p)}
            fixed={fixed}
            growth={growth && p.kind === "counter"}
            remove={() => remove(p.id)}
          />
        ))}
      </div>
    </>
  );
}

/** One lane. What the pointer does stays in here: a moving pointer must not draw the lines anew. */
function LanePlot(props: {
  lane: Lane;
  ids: number[];
  points: Point[];
  traces: Map<number, Trace>;
  fullName: FullName;
  growth: boolean;
  from: number;
  to: number;
  height: number;
  timeAxis: boolean;
  onWindow: (from: number, to: number) => void;
  group: LaneGroup;
  plots: Map<string, uPlot>;
}) {
  const { lane, ids, traces, growth, plots } = props;
  const { name, language } = useI18n();
  const { dark } = usePreferences();
  const [hover, setHover] = useState<{ at: number; left: number }>();
  const labels = lane.points.map(props.fullName).join("\n");
  const colorOf = (id: number) => lineColor(ids.indexOf(id), dark);
  const series = useMemo(
    () =>
      lane.points.map((p, i) => {
        const trace = traces.get(p.id) ?? { point: p.id, t: [], mid: [] };
        return {
          label: labels.split("\n")[i] ?? p.key,
          color: lineColor(ids.indexOf(p.id), dark),
          scale: p.unit || "1",
          stepped: lane.kind === "states",
          bars: growth && p.kind === "counter",
          t: trace.t,
          mid: trace.mid,
          ...(trace.low && trace.high ? { low: trace.low, high: trace.high } : {}),
        };
      }),
    [lane, ids, traces, growth, dark, labels],
  );
  return (
    <div className="st-chart-panel" lang={language}>
      {lane.kind === "states" && lane.points[0] && (
        <div className="st-chart-lane st-small">{props.fullName(lane.points[0])}</div>
      )}
      <TimePlot
        label={labels.replaceAll("\n", ", ")}
        series={series}
        axes={axesOf(lane, name, colorOf)}
        from={props.from}
        to={props.to}
        height={props.height}
        timeAxis={props.timeAxis}
        look={look(dark)}
        group={props.group}
        formatTime={timeText}
        onWindow={props.onWindow}
        onHover={(at, left) => setHover(at === undefined ? undefined : { at, left })}
        register={(plot) => {
          if (plot) plots.set(lane.key, plot);
          else plots.delete(lane.key);
        }}
      />
      {hover && (
        <Tip
          at={hover.at}
          left={hover.left}
          within={(props.to - props.from) / 60}
          points={props.points}
          traces={traces}
          colorOf={colorOf}
          fullName={props.fullName}
          growth={growth}
        />
      )}
    </div>
  );
}

type Translate = ReturnType<typeof useI18n>["t"];
function bucketText(ms: number, t: Translate): string {
  if (ms % 86_400_000 === 0) return t("time.days", { n: ms / 86_400_000 });
  if (ms % 3_600_000 === 0) return t("time.hours", { n: ms / 3_600_000 });
  if (ms % 60_000 === 0) return t("time.minutes", { n: ms / 60_000 });
  return t("time.seconds", { n: Math.round(ms / 1000) });
}

/** The values that came since the page opened, drawn at most four times a second. */
function useLiveTail(ids: number[]): LiveValue[] {
  useWatch(ids);
  const [tail, setTail] = useState<LiveValue[]>([]);
  const waiting = useRef<LiveValue[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useLiveValues((value) => {
    if (!ids.includes(value.point)) return;
    waiting.current.push(value);
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      const fresh = waiting.current;
      waiting.current = [];
      setTail((before) => [...before, ...fresh].slice(-LIVE_KEPT));
    }, 250);
  });
  return tail;
}

function axesOf(
  lane: Lane,
  name: (n: { zh: string; en: string }) => string,
  colorOf: (id: number) => string,
): PlotAxis[] {
  const [state] = lane.points;
  if (lane.kind === "states" && state) {
    const codes = state.labels.map((l) => l.code).sort((a, b) => a - b);
    const marks = codes.length > 0 ? codes : [0, 1];
    return [{ scale: state.unit || "1", label: "", marks, format: (v) => formatValue(state, v, name) }];
  }
  return lane.units.map((unit) => {
    const own = lane.points.filter((p) => p.unit === unit);
    return {
      scale: unit || "1",
      label: unitSymbol(unit),
      ...(lane.units.length > 1 && own.length === 1 && own[0] ? { color: colorOf(own[0].id) } : {}),
    };
  });
}

const TIP_WIDTH = 260;

function Tip(props: {
  at: number;
  left: number;
  within: number;
  points: Point[];
  traces: Map<number, Trace>;
  colorOf: (id: number) => string;
  fullName: FullName;
  growth: boolean;
}) {
  const { name, t } = useI18n();
  const flip = props.left > TIP_WIDTH + 60;
  return (
    <div
      className="st-chart-tip"
      style={{
        top: 8,
        left: props.left,
        transform: flip ? "translateX(calc(-100% - 14px))" : "translateX(14px)",
      }}
    >
      <div className="st-quiet st-num">
        {instant(props.at * 1000)} {offset(props.at * 1000)}
      </div>
      {props.points.map((p) => {
        const trace = props.traces.get(p.id);
        const hit = trace && nearest(trace, props.at, props.within);
        const value = hit && trace.mid[hit.i];
        const unit = unitSymbol(p.unit);
        const low = hit && trace.low?.[hit.i];
        const high = hit && trace.high?.[hit.i];
        return (
          <div className="st-chart-tip-row" key={p.id}>
            <span className="st-swatch" style={{ color: props.colorOf(p.id) }} />
            <span className="st-ellipsis">{props.fullName(p)}</span>
            <b>
              {value == null ? t("chart.gap") : `${formatValue(p, value, name)}${unit ? ` ${unit}` : ""}`}
              {low != null && high != null && low !== high && (
                <span className="st-quiet st-tip-band">
                  {formatValue(p, low, name)}–{formatValue(p, high, name)}
                </span>
              )}
            </b>
          </div>
        );
      })}
    </div>
  );
}
