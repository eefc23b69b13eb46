// What needs somebody now: gateways that are away, lines that are down or in trouble, devices that are silent. Worst first.
import type { Device, Gateway, Names } from "../../api/types";
import { deviceState } from "../../parts/reach";

export interface Matter {
  id: string;
  kind:
    | "gateway_offline"
    | "line_down"
    | "device_silent"
    | "line_trouble"
    | "disk_failing"
    | "disk_full"
    | "data_dropped"
    | "certificate_ends";
  gateway: Gateway;
  device?: { id: string; title: Names; place: string };
  line?: string;
  /** What the gateway says of it, in its own words. */
  words?: string;
  /** The words of the line's troubles, each once. */
  troubles?: string[];
  since: string | null;
}

const DAY = 86_400_000;
const CERTIFICATE_DAYS = 5;
/** Worth knowing to whoever looks for something, and nothing that must be mended. */
const REMARKS = ["hasty", "pauses", "strangers"];

export function matters(gateways: Gateway[], devices: Device[], now: number): Matter[] {
  const found: Matter[] = [];
  for (const gateway of gateways) {
    if (gateway.state === "offline") {
      found.push({
        id: `g${gateway.id}`,
        kind: "gateway_offline",
        gateway,
        since: gateway.last_seen ?? null,
      });
      // Its lines and devices cannot be known while it is away: one matter, not fifty.
      continue;
    }
    if (gateway.state !== "online") continue;
    for (const line of gateway.health?.lines ?? []) {
      if (line.up) {
        const troubles = [...new Set(line.troubles.map(({ what }) => what))].filter(
          (what) => !REMARKS.includes(what),
        );
        if (troubles.length === 0) continue;
        found.push({
          id: `t${gateway.id}${line.name}`,
          kind: "line_trouble",
          gateway,
          line: line.name,
          troubles,
          since: null,
        });
        continue;
      }
      found.push({
        id: `l${gateway.id}${line.name}`,
        kind: "line_down",
        gateway,
        line: line.name,
        ...(line.last_error ? { words: line.last_error } : {}),
        since: null,
      });
    }
    for (const device of devices) {
      if (device.gateway !== gateway.id || deviceState(device, gateway) !== "silent") continue;
      const health = gateway.health?.devices.find((d) => d.key === device.key);
      found.push({
        id: `d${device.id}`,
        kind: "device_silent",
        gateway,
        device: { id: device.id, title: device.title, place: device.place },
        ...(health?.last_error ? { words: health.last_error } : {}),
        since: health?.last_good ?? null,
      });
    }
    const storage = gateway.health?.storage;
    if (storage === "failing" || storage === "full") {
      found.push({ id: `s${gateway.id}`, kind: `disk_${storage}`, gateway, since: null });
    }
    if ((gateway.health?.dropped ?? 0) > 0) {
      found.push({ id: `x${gateway.id}`, kind: "data_dropped", gateway, since: null });
    }
    const ends = gateway.certificate_expires
      ? Date.parse(gateway.certificate_expires)
      : Number.POSITIVE_INFINITY;
    if (ends - now < CERTIFICATE_DAYS * DAY) {
      found.push({ id: `c${gateway.id}`, kind: "certificate_ends", gateway, since: null });
    }
  }
  const rank: Matter["kind"][] = [
    "gateway_offline",
    "disk_failing",
    "line_down",
    "disk_full",
    "data_dropped",
    "device_silent",
    "line_trouble",
    "certificate_ends",
  ];
  return found.sort((a, b) => rank.indexOf(a.kind) - rank.indexOf(b.kind));
}
