// What may be said of a device: its gateway's word, and only while the gateway and the device's line are there. Pure.
import type { Device, Gateway } from "../api/types";

type Gate = (Pick<Gateway, "state"> & Partial<Pick<Gateway, "health">>) | undefined;
type Thing = Pick<Device, "silent" | "in_use"> & Partial<Pick<Device, "line">>;
export type DeviceState = "unused" | "unknown" | "line_down" | "silent" | "answering";

/** Nothing new comes from a gateway that is not online; of one that we have not heard of, nothing is known. */
export const isAway = (gateway: Gate): boolean => gateway?.state !== "online";

/** Neither its gateway's configuration nor a gateway that may send stands behind it any more. */
export const isRetired = (device: Pick<Device, "in_use">, gateway: Gate): boolean =>
  !device.in_use || gateway?.state === "revoked";

/** Nobody asks a device while its line is down: it is neither silent nor answering, whatever it was before. */
const isCutOff = (device: Thing, gateway: Gate): boolean =>
  gateway?.health?.lines.some((line) => line.name === device.line && !line.up) ?? false;

export function deviceState(device: Thing, gateway: Gate): DeviceState {
  if (isRetired(device, gateway)) return "unused";
  if (isAway(gateway)) return "unknown";
  if (isCutOff(device, gateway)) return "line_down";
  return device.silent ? "silent" : "answering";
}

export interface DeviceCounts {
  inUse: number;
  answering: number;
  silent: number;
  /** Behind a gateway that is away, or a line that is down. */
  unknown: number;
}

export function countDevices(devices: Device[], gateways: Gateway[]): DeviceCounts {
  const known = new Map(gateways.map((g) => [g.id, g]));
  const counts: DeviceCounts = { inUse: 0, answering: 0, silent: 0, unknown: 0 };
  for (const device of devices) {
    const state = deviceState(device, known.get(device.gateway));
    if (state === "unused") continue;
    counts.inUse += 1;
    counts[state === "line_down" ? "unknown" : state] += 1;
  }
  return counts;
}
