// The marks of a time axis: as much of the date as the distance between marks asks for.
import dayjs from "dayjs";

const MINUTE = 60;
const DAY = 86_400;
const MONTH = 28 * DAY;

export function timeText(seconds: number, step: number): string {
  const at = dayjs(seconds * 1000);
  const isMidnight = at.hour() === 0 && at.minute() === 0 && at.second() === 0;
  if (step >= MONTH) return at.format("YYYY-MM");
  // Midnight tells the day, so that a week of hours can be read; the first day of a year tells the year.
  if (step >= DAY || isMidnight)
    return at.format(at.month() === 0 && at.date() === 1 ? "YYYY-MM-DD" : "MM-DD");
  return step < MINUTE ? at.format("HH:mm:ss") : at.format("HH:mm");
}
