// uPlot in React: lines over time with a band, states as steps, zoom by dragging, pan with shift.
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { marksOf } from "./axis-marks";
import type { LaneGroup } from "./lane-group";
import { hands } from "./plot-hands";

export interface PlotSeries {
  label: string;
  color: string;
  /** Name of its scale: series of one unit share it. */
  scale: string;
  stepped: boolean;
  bars: boolean;
  t: number[];
  mid: (number | null)[];
  low?: (number | null)[];
  high?: (number | null)[];
}
export interface PlotAxis {
  scale: string;
  label: string;
  /** The colour of the one line that it belongs to, where there is only one. */
  color?: string;
  /** For states: fixed marks, and what they mean. */
  marks?: number[];
  format?: (value: number) => string;
}
export interface PlotLook {
  text: string;
  grid: string;
  ground: string;
  font: string;
}

interface Props {
  series: PlotSeries[];
  axes: PlotAxis[];
  from: number;
  to: number;
  height: number;
  look: PlotLook;
  /** What the lanes under each other share. */
  group: LaneGroup;
  timeAxis: boolean;
  formatTime: (seconds: number, stepSeconds: number) => string;
  label: string;
  onWindow: (from: number, to: number) => void;
  onHover: (seconds: number | undefined, left: number, top: number) => void;
  register: (plot: uPlot | undefined) => void;
}

/** The lanes' pointers move together. */
const SYNC = "steward";
const LABEL_SIZE = 20;
/** Below this many pixels marks of the time stand closer. */
const NARROW = 480;

export function TimePlot(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef(props);
  /** What is shown while the hand still moves; the address follows when it rests. */
  const moving = useRef<[number, number]>(undefined);
  useEffect(() => {
    latest.current = props;
  });

  const shape = JSON.stringify([
    props.series.map((s) => [s.label, s.color, s.scale, s.stepped, s.bars, s.low !== undefined]),
    props.axes.map((a) => [a.scale, a.label, a.color, a.marks]),
    props.height,
    props.look,
    props.timeAxis,
  ]);

  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const made = new uPlot(
      options(latest, moving, Math.max(120, element.clientWidth)),
      dataOf(latest.current.series),
      element,
    );
    plot.current = made;
    latest.current.register(made);
    const watcher = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width > 0 && width !== made.width) made.setSize({ width, height: latest.current.height });
    });
    watcher.observe(element);
    const { group } = latest.current;
    return () => {
      watcher.disconnect();
      group.leave(made);
      latest.current.register(undefined);
      made.destroy();
      plot.current = undefined;
    };
  }, [shape]);

  const { group, series, from, to } = props;
  useEffect(
    () =>
      group.whenFree(() => {
        moving.current = undefined;
        plot.current?.setData(dataOf(series), true);
      }),
    [group, series, from, to],
  );

  return <div ref={host} role="img" aria-label={props.label} />;
}

/** Every series on one row of instants: `undefined` where another series has one, `null` where there is a gap. */
function dataOf(series: PlotSeries[]): uPlot.AlignedData {
  const tables = series.map((s): uPlot.AlignedData =>
    s.low && s.high ? [s.t, s.low, s.high, s.mid] : [s.t, s.mid],
  );
  if (tables.length === 0) return [[]];
  // Mode 1 keeps every null: a gap stays a gap beside a series that has none.
  return uPlot.join(
    tables,
    tables.map((table) => table.map(() => 1 as const)),
  );
}

type Latest = React.RefObject<Props>;
type Moving = React.RefObject<[number, number] | undefined>;

function options(latest: Latest, moving: Moving, width: number): uPlot.Options {
  const { series, axes, look, height, group, timeAxis } = latest.current;
  const twoAxes = axes.length > 1;
  /** Whether the pointer that marks a span went down on this lane: the others only show it. */
  let marking = false;
  const lines: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  for (const s of series) {
    const paths = s.bars
      ? uPlot.paths.bars?.({ size: [0.8, 40], align: 1 })
      : s.stepped
        ? uPlot.paths.stepped?.({ align: 1 })
        : undefined;
    if (s.low) {
      const edge: uPlot.Series = {
        scale: s.scale,
        stroke: "transparent",
        width: 0,
        points: { show: false },
        ...(paths ? { paths } : {}),
      };
      lines.push(edge, { ...edge });
      bands.push({ series: [lines.length - 1, lines.length - 2], fill: `${s.color}2e` });
    }
    lines.push({
      label: s.label,
      scale: s.scale,
      stroke: s.color,
      width: s.bars ? 0 : 1.6,
      spanGaps: false,
      points: s.bars
        ? { show: false }
        : { show: () => false, filter: lonely, size: 4, width: 1, fill: s.color },
      ...(s.stepped || s.bars ? { fill: s.bars ? s.color : `${s.color}30` } : {}),
      ...(paths ? { paths } : {}),
    });
  }
  const scales: uPlot.Scales = {
    x: { time: true, range: () => moving.current ?? [latest.current.from, latest.current.to] },
  };
  axes.forEach((axis) => {
    const { marks } = axis;
    scales[axis.scale] = {
      range: marks
        ? [Math.min(...marks) - 0.15, Math.max(...marks) + 0.25]
        : (_, low, high) => padded(low, high),
    };
  });
  const tick = { stroke: look.grid, width: 1, size: 5 };
  return {
    width,
    height,
    series: lines,
    bands,
    scales,
    legend: { show: false },
    padding: [10, twoAxes ? 0 : (u) => group.margin(u), 0, 0],
    cursor: {
      sync: { key: SYNC },
      drag: { x: true, y: false, setScale: false, dist: 6 },
      points: { size: 7 },
    },
    axes: [
      {
        // Every lane has the time's grid; the lowest one its words.
        size: timeAxis ? 32 : 0,
        stroke: look.text,
        font: look.font,
        grid: { stroke: look.grid, width: 1 },
        ticks: { ...tick, show: timeAxis },
        space: (u) => (u.width < NARROW ? 56 : 90),
        values: (_, splits, __, ___, step) =>
          timeAxis ? splits.map((s) => latest.current.formatTime(s, step)) : [],
      },
      ...axes.map((axis, i): uPlot.Axis => {
        const { marks } = axis;
        return {
          scale: axis.scale,
          side: i % 2 === 0 ? 3 : 1,
          stroke: axis.color ?? look.text,
          font: look.font,
          label: axis.label,
          labelFont: look.font,
          labelSize: axis.label ? LABEL_SIZE : 0,
          labelGap: 0,
          grid: { show: i === 0, stroke: look.grid, width: 1 },
          ticks: tick,
          size: (u, values) => {
            const label = axis.label ? LABEL_SIZE : 0;
            const own = 14 + label + Math.max(20, ...(values ?? []).map((v) => textWidth(v, look.font)));
            return group.width(u, i % 2 === 0 ? "left" : "right", own) - label;
          },
          values: (_, splits) => marksOf(splits, axis.format),
          ...(marks ? { splits: () => marks } : {}),
        };
      }),
    ],
    hooks: {
      setSelect: [
        (u) => {
          const { left, width: wide } = u.select;
          const mine = marking;
          marking = false;
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (!mine || wide < 6) return;
          latest.current.onWindow(u.posToVal(left, "x"), u.posToVal(left + wide, "x"));
        },
      ],
      setCursor: [
        (u) => {
          const { left = -1, top = -1 } = u.cursor;
          const inside = left >= 0 && u.over.matches(":hover");
          latest.current.onHover(inside ? u.posToVal(left, "x") : undefined, left + u.over.offsetLeft, top);
        },
      ],
      ready: [
        (u) => {
          u.over.addEventListener("mousedown", () => (marking = true));
          const onWindow = (from: number, to: number) => latest.current.onWindow(from, to);
          hands(u, { group, moving, onWindow });
        },
      ],
    },
  };
}

/** A reading between two gaps would be an invisible line: it is drawn as a dot. */
function lonely(u: uPlot, index: number): number[] | null {
  const values = u.data[index] ?? [];
  const found: number[] = [];
  let before: number | null = null;
  let open: number | undefined;
  // `undefined` is the instant of another series; only `null` is a gap.
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i];
    if (value === undefined) continue;
    if (value !== null && before === null) open = i;
    else {
      if (value === null && open !== undefined) found.push(open);
      open = undefined;
    }
    before = value;
  }
  if (open !== undefined) found.push(open);
  return found.length > 0 ? found : null;
}

function padded(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  if (low === high) {
    const by = Math.abs(low) * 0.05 || 1;
    return [low - by, high + by];
  }
  const by = (high - low) * 0.06;
  // A quantity that is never below zero does not get a negative axis.
  return [low >= 0 && low - by < 0 ? 0 : low - by, high + by];
}

let pen: CanvasRenderingContext2D | null | undefined;
function textWidth(text: string | null, font: string): number {
  if (!text) return 0;
  pen ??= document.createElement("canvas").getContext("2d");
  if (!pen) return text.length * 7;
  pen.font = font;
  return Math.ceil(pen.measureText(text).width);
}
