// Instants and ages in the words of the language in use, always in the browser's time zone.
import dayjs from "dayjs";

import type { Translate } from "../i18n/i18n";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const instant = (at: string | number): string => dayjs(at).format("YYYY-MM-DD HH:mm:ss");
export const minute = (at: string | number): string => dayjs(at).format("YYYY-MM-DD HH:mm");
export const clock = (at: string | number): string => dayjs(at).format("HH:mm:ss");

/** How far the browser's clock is from UTC at that instant: `UTC+08:00`. */
export const offset = (at: string | number): string => `UTC${dayjs(at).format("Z")}`;
/** The same with the zone's name, where the browser has one. */
export function zone(at: string | number): string {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return timeZone && timeZone !== "UTC" ? `${timeZone} (${offset(at)})` : offset(at);
}

/** How long something takes or took, in its largest unit (two below a day, so that "1 h 59 min" is not "1 h"). */
export function duration(ms: number, t: Translate): string {
  const v = Math.max(0, ms);
  if (v < MINUTE) return t("time.seconds", { n: Math.floor(v / SECOND) });
  if (v < HOUR) return t("time.minutes", { n: Math.floor(v / MINUTE) });
  if (v < DAY) {
    const minutes = Math.floor((v % HOUR) / MINUTE);
    const hours = t("time.hours", { n: Math.floor(v / HOUR) });
    return minutes === 0 ? hours : `${hours} ${t("time.minutes", { n: minutes })}`;
  }
  return t("time.days", { n: Math.floor(v / DAY) });
}

export function ago(at: string | number, now: number, t: Translate): string {
  const ms = now - dayjs(at).valueOf();
  if (ms < -MINUTE) return t("time.ahead", { age: duration(-ms, t) });
  return ms < SECOND ? t("time.now") : t("time.ago", { age: duration(ms, t) });
}

/** How often an age of this size has to be drawn again. */
export const tick = (ageMs: number): number =>
  ageMs < MINUTE ? SECOND : ageMs < HOUR ? 10 * SECOND : MINUTE;
