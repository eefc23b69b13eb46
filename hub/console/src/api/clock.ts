// The hub's clock as far as its answers tell: a browser that is minutes off must not call every value stale.

const TOLERATED_MS = 5000;
let offset = 0;

/** Takes the `Date` of an answer; it counts whole seconds, so small differences are none. */
export function observe(date: string | null, now = Date.now()): void {
  const hub = Date.parse(date ?? "");
  if (Number.isNaN(hub)) return;
  const difference = hub - now;
  offset = Math.abs(difference) > TOLERATED_MS ? difference : 0;
}

export const hubNow = (): number => Date.now() + offset;
