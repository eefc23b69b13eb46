// The words at an axis: all with the same number of digits, as many as their steps are exact with.

const MOST_DECIMALS = 6;

export function marksOf(
  splits: readonly (number | null | undefined)[],
  format?: (value: number) => string,
): string[] {
  if (format) return splits.map((v) => (v == null ? "" : format(v)));
  const [first, second] = splits.filter((v): v is number => v != null);
  const decimals = first !== undefined && second !== undefined ? decimalsOf(Math.abs(second - first)) : 0;
  return splits.map((v) =>
    v == null
      ? ""
      : v.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }),
  );
}

/** Steps of 2.5 need a digit more than steps of 5: rounded, 92.5 would stand where 93 is written. */
function decimalsOf(step: number): number {
  for (let decimals = 0; decimals < MOST_DECIMALS; decimals += 1) {
    const scaled = step * 10 ** decimals;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6 * scaled) return decimals;
  }
  return MOST_DECIMALS;
}
