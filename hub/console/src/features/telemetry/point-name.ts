// A point's full name: its device first, for "power" alone says little.
import type { Device, Point } from "../../api/types";
import { useI18n } from "../../i18n/i18n";

export type FullName = (point: Point) => string;

export function usePointName(devices: Device[]): FullName {
  const { name } = useI18n();
  return (point) => {
    const device = devices.find((d) => d.id === point.device);
    const own = name(point.title) || point.key;
    return device ? `${name(device.title) || device.key} · ${own}` : own;
  };
}
