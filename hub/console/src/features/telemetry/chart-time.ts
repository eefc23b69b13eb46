// The marks of a time axis: as much of the date as the distance between marks asks for.
import dayjs from "dayjs";

const MINUTE = 60;
const DAY = 86_400;

export function timeText(seconds: number, step: number): string {
  const at = dayjs(seconds * 1000);
  if (step >= DAY) return at.format("MM-DD");
  // Midnight tells the day, so that a week of hours can be read.
  if (at.hour() === 0 && at.minute() === 0 && at.second() === 0) return at.format("MM-DD");
  return step < MINUTE ? at.format("HH:mm:ss") : at.format("HH:mm");
}
