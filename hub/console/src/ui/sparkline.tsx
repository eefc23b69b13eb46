// A line without axes: the shape of the last hour, gaps left open.

export function Sparkline(props: {
  values: (number | null)[];
  label: string;
  width?: number;
  height?: number;
}) {
  const { values, label, width = 96, height = 22 } = props;
  const numbers = values.filter((v): v is number => v !== null);
  if (numbers.length < 2) return null;
  const low = Math.min(...numbers);
  const high = Math.max(...numbers);
  const span = high - low || 1;
  const x = (i: number) => (i / Math.max(1, values.length - 1)) * (width - 2) + 1;
  const y = (v: number) => (high === low ? height / 2 : height - 2 - ((v - low) / span) * (height - 4));
  let path = "";
  let pen = false;
  values.forEach((v, i) => {
    if (v === null) {
      pen = false;
      return;
    }
    path += `${pen ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
    pen = true;
  });
  return (
    <svg
      className="st-spark"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
    >
      <path d={path} fill="none" stroke="var(--st-accent)" strokeWidth="1.3" strokeLinejoin="round" />
    </svg>
  );
}
