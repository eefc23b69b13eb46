import { describe, expect, it } from "vitest";

import { translator } from "../i18n/i18n";
import { matches } from "./match";
import { AHEAD_MS, qualityNow } from "./quality";
import { ago, duration } from "./time";
import { unitSymbol } from "./unit";
import { formatBytes, formatNumber, formatValue, NO_VALUE } from "./value";

const zh = (n: { zh: string; en: string }) => n.zh;

describe("units", () => {
  it.each([
    ["1", ""],
    ["Cel", "°C"],
    ["kW.h", "kWh"],
    ["kvar.h", "kvarh"],
    ["kV.A", "kVA"],
    ["m3/h", "m³/h"],
    ["m3", "m³"],
    ["%", "%"],
    ["{count}", ""],
    ["uS/cm", "µS/cm"],
    ["Hz", "Hz"],
    ["m/s2", "m/s²"],
  ])("%s is written %s", (ucum, shown) => {
    expect(unitSymbol(ucum)).toBe(shown);
  });
});

describe("values", () => {
  const gauge = { kind: "gauge", decimals: 1, labels: [] };
  const mode = {
    kind: "enumeration",
    decimals: 0,
    labels: [{ code: 2, names: { zh: "制冷", en: "Cooling" } }],
  };
  it("show the digits that their point is worth", () => {
    expect(formatValue(gauge, 1234.56, zh)).toBe("1,234.6");
    expect(formatNumber(-0.04, 1)).toBe("0.0");
  });
  it("of an enumeration show their label, and an unknown code as it is", () => {
    expect(formatValue(mode, 2, zh)).toBe("制冷");
    expect(formatValue(mode, 9, zh)).toBe("9");
  });
  it("that are absent are a dash and not zero", () => {
    expect(formatValue(gauge, null, zh)).toBe(NO_VALUE);
    expect(formatValue(gauge, undefined, zh)).toBe(NO_VALUE);
  });
  it("in bytes stay short", () => {
    expect(formatBytes(0)).toBe("0 B");
    expect(formatBytes(1536)).toBe("1.5 KiB");
    expect(formatBytes(11_200_000_000)).toBe("10.4 GiB");
  });
});

describe("quality", () => {
  const latest = { at: "2026-03-01T00:00:00Z", value: 1, quality: "good", stale: false };
  const at = Date.parse(latest.at);
  const point = { fresh_for_ms: 18_000 };
  it("of a good value past the age that the hub allows it is stale", () => {
    expect(qualityNow(latest, point, at + 18_000, false)).toBe("good");
    expect(qualityNow(latest, point, at + 18_001, false)).toBe("stale");
    expect(qualityNow(latest, { fresh_for_ms: 635_000 }, at + 600_000, false)).toBe("good");
  });
  it("keeps the reason where there is one", () => {
    expect(qualityNow({ ...latest, quality: "no_reply" }, point, at + 1e9, false)).toBe("no_reply");
  });
  it("that a newer hub may send is not taken for good", () => {
    expect(qualityNow({ ...latest, quality: "brand_new" }, point, at, false)).toBe("undecodable");
  });
  it("of a gateway that is away is stale, however young its last value", () => {
    expect(qualityNow(latest, point, at, true)).toBe("stale");
    expect(qualityNow({ ...latest, quality: "refused" }, point, at, true)).toBe("refused");
  });
  it("of a value that lies in the future is not good", () => {
    expect(qualityNow(latest, point, at - AHEAD_MS, false)).toBe("good");
    expect(qualityNow(latest, point, at - AHEAD_MS - 1, false)).toBe("ahead");
  });
});

describe("ages", () => {
  const t = translator("en");
  it("are told in their largest unit", () => {
    expect(duration(59_999, t)).toBe("59 s");
    expect(duration(3_540_000, t)).toBe("59 min");
    expect(duration(7_140_000, t)).toBe("1 h 59 min");
    expect(duration(86_400_000, t)).toBe("1 day");
  });
  it("of a clock that is a little ahead are now, and of one that is far ahead say so", () => {
    expect(ago("2026-03-01T00:00:05Z", Date.parse("2026-03-01T00:00:00Z"), t)).toBe("just now");
    expect(ago("2026-03-01T00:05:00Z", Date.parse("2026-03-01T00:00:00Z"), t)).toBe("5 min ahead");
  });
});

it("a search finds every word, in any order and case", () => {
  expect(matches("CHILLER pump", "Pump of chiller 2")).toBe(true);
  expect(matches("chiller 3", "Pump of chiller 2")).toBe(false);
});
