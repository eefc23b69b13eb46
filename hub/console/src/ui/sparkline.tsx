// A line without axes: the shape of a span of time, gaps left open.
import "./sparkline.css";

interface Course {
  /** Instants of the values, in the same unit as `from` and `to`. */
  t: number[];
  values: (number | null)[];
  from: number;
  to: number;
}

export function Sparkline(props: Course & { label: string; width?: number; height?: number }) {
  const { label, width = 96, height = 22 } = props;
  const path = pathOf(props, width, height);
  if (path === "") return null;
  return (
    <svg
      className="st-spark"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
    >
      <path
        d={path}
        fill="none"
        stroke="var(--st-accent)"
        strokeWidth="1.3"
        strokeLinejoin="round"
        strokeLinecap="round"
      />
    </svg>
  );
}

/** Empty where there are not two values: a single one has no shape. */
export function pathOf({ t, values, from, to }: Course, width: number, height: number): string {
  const numbers = values.filter((v): v is number => v !== null);
  if (numbers.length < 2) return "";
  const low = numbers.reduce((a, b) => Math.min(a, b));
  const high = numbers.reduce((a, b) => Math.max(a, b));
  const x = (at: number) => (((at - from) / (to - from || 1)) * (width - 2) + 1).toFixed(1);
  const y = (v: number) =>
    (high === low ? height / 2 : height - 2 - ((v - low) / (high - low)) * (height - 4)).toFixed(1);
  let path = "";
  values.forEach((v, i) => {
    if (v === null) return;
    const follows = i > 0 && values[i - 1] !== null;
    const goesOn = i + 1 < values.length && values[i + 1] !== null;
    path += `${follows ? "L" : "M"}${x(t[i] ?? from)} ${y(v)}`;
    // Between two gaps: a line of no length is drawn as a dot.
    if (!follows && !goesOn) path += "h0";
  });
  return path;
}
