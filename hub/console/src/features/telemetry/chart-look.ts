// Colours of lines: told apart with every kind of colour vision, at least 3:1 on their ground.
import type { PlotLook } from "../../ui/time-plot";

const LIGHT = ["#0958d9", "#c2410c", "#237804", "#8b22d6", "#0e7490", "#be185d", "#7a5c00", "#4b5563"];
const DARK = ["#6ab0ff", "#ff9f5a", "#73d13d", "#c79bff", "#4fd1d9", "#ff85c0", "#ffd666", "#b8c1cc"];

export function lineColor(i: number, dark: boolean): string {
  const colors = dark ? DARK : LIGHT;
  return colors[i % colors.length] ?? "#0958d9";
}

export const FONT =
  'system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';

export const look = (dark: boolean): PlotLook =>
  dark
    ? { text: "#b6bfca", grid: "#262d38", ground: "#161b22", font: `12px ${FONT}` }
    : { text: "#4b5563", grid: "#e9ecf1", ground: "#ffffff", font: `12px ${FONT}` };
