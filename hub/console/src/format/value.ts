// A value as it is shown: digits worth showing, enumerations and flags by their label.
import type { Names, Value } from "../api/types";

interface Shape {
  kind: string;
  decimals: number;
  labels: { code: number; names: Names }[];
}

export const NO_VALUE = "–";

const formats = new Map<string, Intl.NumberFormat>();

export function formatNumber(value: number, decimals: number, grouping = true): string {
  const key = `${decimals}${grouping}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat("en-US", {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
      useGrouping: grouping,
    });
    formats.set(key, format);
  }
  return format.format(Object.is(value, -0) ? 0 : value).replace(/^-(?=0(\.0*)?$)/, "");
}

export function formatValue(point: Shape, value: Value | undefined, name: (n: Names) => string): string {
  if (value === null || value === undefined) return NO_VALUE;
  if (typeof value === "string") return value;
  if (point.kind === "flag" || point.kind === "enumeration") {
    const label = point.labels.find((l) => l.code === value);
    return label ? name(label.names) : String(value);
  }
  return formatNumber(value, point.decimals);
}

/** Whether a point's values can be drawn over time. */
export const isDrawable = (kind: string): boolean => kind !== "text";
/** Whether a point holds its value until it changes: drawn as steps on a lane of its own. */
export const isStepped = (kind: string): boolean => kind === "flag" || kind === "enumeration";

const STEPS = ["B", "KiB", "MiB", "GiB", "TiB"];
export function formatBytes(bytes: number): string {
  let n = bytes;
  let step = 0;
  while (n >= 1024 && step < STEPS.length - 1) {
    n /= 1024;
    step += 1;
  }
  return `${n >= 100 || step === 0 ? Math.round(n) : n.toFixed(1)} ${STEPS[step]}`;
}
