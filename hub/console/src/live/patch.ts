// Puts live values into what the page already holds, so that nothing is asked again for them.
import type { Gateway, Point } from "../api/types";
import type { LiveValue } from "./stream";

/** The newest value per point; what is older than what is shown changes nothing. */
export function patchPoints(points: Point[], values: ReadonlyMap<number, LiveValue>): Point[] {
  let changed = false;
  const next = points.map((point) => {
    const patched = patchPoint(point, values.get(point.id));
    if (patched !== point) changed = true;
    return patched;
  });
  return changed ? next : points;
}

export function patchPoint(point: Point, value: LiveValue | undefined): Point {
  if (!value) return point;
  if (point.latest && Date.parse(point.latest.at) > Date.parse(value.at)) return point;
  return { ...point, latest: { at: value.at, value: value.value, quality: value.quality, stale: false } };
}

export const patchGateway = (gateway: Gateway, id: string, state: string): Gateway =>
  gateway.id === id && gateway.state !== state ? { ...gateway, state } : gateway;
