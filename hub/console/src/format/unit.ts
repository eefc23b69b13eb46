// UCUM codes as people write them: `m3/h` -> m³/h, `kW.h` -> kWh, `Cel` -> °C.

const WHOLE: Record<string, string> = {
  "1": "",
  Cel: "°C",
  "[degF]": "°F",
  "%": "%",
  "[ppm]": "ppm",
  "[ppb]": "ppb",
  deg: "°",
  Ohm: "Ω",
  kOhm: "kΩ",
  "/min": "r/min",
  "{rpm}": "r/min",
  "1/min": "r/min",
  "[pH]": "pH",
  "m[H2O]": "mH₂O",
};
const TOGETHER = /^([kMGm]?)(W|VA|V\.A|var|A)\.(h|s)$/;
const POWERS: Record<string, string> = { "2": "²", "3": "³", "-1": "⁻¹", "-2": "⁻²", "-3": "⁻³" };

export function unitSymbol(ucum: string): string {
  const whole = WHOLE[ucum];
  if (whole !== undefined) return whole;
  const energy = TOGETHER.exec(ucum);
  if (energy) return `${energy[1]}${energy[2]?.replace(".", "")}${energy[3]}`;
  return ucum
    .replace(/^([kMG]?)V\.A$/, "$1VA")
    .replace(/^([kMG]?)V\.A\./, "$1VA")
    .replace(/\{[^}]*\}/g, "")
    .replace(/\[([^\]]*)\]/g, "$1")
    .replace(
      /([A-Za-z])(-?[123])(?![0-9])/g,
      (_, letter: string, power: string) => letter + (POWERS[power] ?? power),
    )
    .replaceAll("Cel", "°C")
    .replaceAll("Ohm", "Ω")
    .replace(/(^|[./])u(?=[A-Za-z])/g, "$1µ")
    .replaceAll(".", "·");
}
