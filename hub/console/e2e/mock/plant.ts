// A made-up estate for looking at the pages without a hub: never part of what is built or shipped.
import type { components } from "../../src/api/schema";

type S = components["schemas"];

export const HOUR = 3_600_000;
const started = Date.now() - 5 * HOUR;
const iso = (ms: number): string => new Date(ms).toISOString();

interface Kind {
  profile: string;
  vendor: string;
  model: string;
  points: [
    key: string,
    zh: string,
    en: string,
    unit: string,
    kind: S["PointKind"],
    base: number,
    swing: number,
    decimals: number,
  ][];
}

const METER: Kind = {
  profile: "schneider/pm5350",
  vendor: "Schneider Electric",
  model: "PM5350",
  points: [
    ["active_power", "总有功功率", "Total active power", "kW", "gauge", 820, 260, 1],
    ["reactive_power", "总无功功率", "Total reactive power", "kvar", "gauge", 190, 60, 1],
    ["apparent_power", "总视在功率", "Total apparent power", "kV.A", "gauge", 850, 260, 1],
    ["power_factor", "功率因数", "Power factor", "1", "gauge", 0.96, 0.02, 3],
    ["frequency", "频率", "Frequency", "Hz", "gauge", 50, 0.04, 2],
    ["current_a", "A 相电流", "Current A", "A", "gauge", 1240, 380, 1],
    ["current_b", "B 相电流", "Current B", "A", "gauge", 1228, 380, 1],
    ["current_c", "C 相电流", "Current C", "A", "gauge", 1251, 380, 1],
    ["voltage_ab", "AB 线电压", "Voltage AB", "V", "gauge", 398, 4, 1],
    ["active_energy_import", "正向有功电能", "Active energy imported", "kW.h", "counter", 4_812_300, 820, 1],
  ],
};
const CHILLER: Kind = {
  profile: "carrier/30xw",
  vendor: "Carrier",
  model: "30XW",
  points: [
    ["leaving_temperature", "冷冻水出水温度", "Chilled water leaving", "Cel", "gauge", 7, 0.6, 1],
    ["entering_temperature", "冷冻水回水温度", "Chilled water entering", "Cel", "gauge", 12.1, 0.9, 1],
    ["condenser_leaving", "冷却水出水温度", "Condenser water leaving", "Cel", "gauge", 34.8, 1.4, 1],
    ["capacity", "负载率", "Capacity", "%", "gauge", 68, 24, 0],
    ["running", "运行状态", "Running", "1", "flag", 1, 0, 0],
    ["mode", "运行模式", "Mode", "1", "enumeration", 2, 0, 0],
    ["starts", "累计启动次数", "Starts", "{count}", "counter", 1204, 0.1, 0],
    ["alarm_text", "报警文本", "Alarm text", "1", "text", 0, 0, 0],
  ],
};
const PUMP: Kind = {
  profile: "danfoss/fc102",
  vendor: "Danfoss",
  model: "VLT FC 102",
  points: [
    ["output_frequency", "输出频率", "Output frequency", "Hz", "gauge", 42, 6, 1],
    ["motor_power", "电机功率", "Motor power", "kW", "gauge", 18, 5, 1],
    ["motor_current", "电机电流", "Motor current", "A", "gauge", 34, 8, 1],
    ["running", "运行", "Running", "1", "flag", 1, 0, 0],
    ["energy", "累计电能", "Energy", "kW.h", "counter", 88_120, 18, 0],
  ],
};
const LABELS: Record<string, S["Label"][]> = {
  running: [
    { code: 0, names: { zh: "停止", en: "Stopped" } },
    { code: 1, names: { zh: "运行", en: "Running" } },
  ],
  mode: [
    { code: 0, names: { zh: "关机", en: "Off" } },
    { code: 1, names: { zh: "制热", en: "Heating" } },
    { code: 2, names: { zh: "制冷", en: "Cooling" } },
  ],
};

export const sites: S["Site"][] = [
  { id: "s1", parent: null, kind: "campus", name: "市第一人民医院", code: "HQ", plan: null, version: 1 },
  { id: "s2", parent: "s1", kind: "building", name: "门诊楼", code: "A", plan: null, version: 1 },
  { id: "s3", parent: "s1", kind: "building", name: "外科住院楼", code: "B", plan: null, version: 1 },
  { id: "s4", parent: "s3", kind: "floor", name: "地下一层", code: "B1", plan: null, version: 1 },
  { id: "s5", parent: "s4", kind: "room", name: "制冷机房", code: "B1-03", plan: null, version: 1 },
];

const layout: [
  gateway: string,
  key: string,
  zh: string,
  en: string,
  kind: Kind,
  place: string,
  line: string,
][] = [
  ["g1", "main-meter", "总进线电表", "Main incomer meter", METER, "B1 配电室", "chw-tcp"],
  ["g1", "chiller-1", "1# 冷水机组", "Chiller 1", CHILLER, "B1 制冷机房", "chw-tcp"],
  ["g1", "chiller-2", "2# 冷水机组", "Chiller 2", CHILLER, "B1 制冷机房", "chw-tcp"],
  ["g1", "meter-chillers", "冷机分项电表", "Chillers sub-meter", METER, "B1 制冷机房", "rs485-1"],
  ["g1", "meter-pumps", "水泵分项电表", "Pumps sub-meter", METER, "B1 制冷机房", "rs485-1"],
  ["g1", "chwp-1", "1# 冷冻水泵", "Chilled water pump 1", PUMP, "B1 制冷机房", "rs485-2"],
  ["g1", "chwp-2", "2# 冷冻水泵", "Chilled water pump 2", PUMP, "B1 制冷机房", "rs485-2"],
  ["g1", "cwp-1", "1# 冷却水泵", "Condenser water pump 1", PUMP, "B1 制冷机房", "rs485-2"],
  ["g2", "boiler-meter", "锅炉房电表", "Boiler house meter", METER, "锅炉房", "tcp-1"],
];

export const devices: S["Device"][] = layout.map(([gateway, key, zh, en, kind, place, line], i) => ({
  id: `d${i + 1}`,
  gateway,
  key,
  title: { zh, en },
  profile: kind.profile,
  vendor: kind.vendor,
  model: kind.model,
  place,
  line,
  address: String(i + 1),
  in_use: true,
  site: gateway === "g1" ? "s5" : "s2",
  silent: key === "meter-pumps",
  points: kind.points.length,
}));

const WRITE = { min: 5, max: 12, step: 0.1, time_boxed: false, two_persons: false, priority: null };
export const points: S["Point"][] = [];
const shapes = new Map<number, { base: number; swing: number; kind: S["PointKind"]; silent: boolean }>();
layout.forEach(([, , , , kind], d) => {
  const device = devices[d];
  if (!device) return;
  for (const [key, zh, en, unit, pointKind, base, swing, decimals] of kind.points) {
    const id = points.length + 1;
    const scale = 1 / (1 + (d % 4) * 0.6);
    shapes.set(id, {
      base: unit === "kW" || unit === "A" || unit === "kW.h" ? base * scale : base,
      swing: swing * scale,
      kind: pointKind,
      silent: device.silent,
    });
    const period = unit === "kW.h" ? 60_000 : 2000;
    points.push({
      id,
      device: device.id,
      key,
      title: { zh, en },
      unit,
      kind: pointKind,
      labels: LABELS[key] ?? [],
      period_ms: period,
      fresh_for_ms: 3 * period + 15_000,
      decimals,
      in_use: true,
      write: key === "leaving_temperature" ? WRITE : null,
      latest: null,
    });
  }
});

/** The value of a point at an instant: a working day, some noise that is always the same, and one hole a week. */
export function valueAt(id: number, at: number): number | null {
  const shape = shapes.get(id);
  if (!shape) return null;
  const day = Math.sin(((at / HOUR) % 24) * ((2 * Math.PI) / 24) - 2.2);
  const noise = Math.sin(at / 61_000 + id * 7) * 0.16 + Math.sin(at / 7000 + id * 3) * 0.05;
  const week = (at / HOUR) % 168;
  if (week > 40 && week < 46) return null;
  switch (shape.kind) {
    case "counter":
      return Math.floor((shape.base + (shape.swing * (at - started)) / HOUR) * 10) / 10;
    case "flag":
      return day + noise * 2 > -0.85 ? 1 : 0;
    case "enumeration":
      return day > -0.85 ? 2 : 0;
    case "text":
      return null;
    default:
      return shape.base + shape.swing * (day * 0.8 + noise);
  }
}

export function latest(point: S["Point"], now: number): S["Latest"] {
  const silent = shapes.get(point.id)?.silent === true;
  const at = silent ? now - 14 * 60_000 : now - (now % point.period_ms);
  if (silent) return { at: iso(at), value: null, quality: "no_reply", stale: true };
  if (point.kind === "text") return { at: iso(at), value: "No alarm", quality: "good", stale: false };
  const value = valueAt(point.id, at) ?? shapes.get(point.id)?.base ?? 0;
  return { at: iso(at), value, quality: "good", stale: false };
}

export function gateways(now: number): S["Gateway"][] {
  const lines = ["chw-tcp", "rs485-1", "rs485-2"];
  return [
    {
      id: "g1",
      name: "east-plant",
      site: "s5",
      state: "online",
      version: 1,
      program: "0.1.0",
      last_seen: iso(now - 1200),
      address: "10.20.3.41",
      road: "quic",
      blocked_port: null,
      enrolled_at: iso(now - 9 * 24 * HOUR),
      certificate_expires: iso(now + 21 * 24 * HOUR),
      buffered: 0,
      counts: { devices: 8, points: points.filter((p) => p.device !== "d9").length },
      health: {
        at: iso(now - 1200),
        uptime_s: Math.floor((now - started) / 1000) + 777_600,
        rss_bytes: 21_400_000,
        cpu: 0.031,
        disk_free_bytes: 11_200_000_000,
        disk_total_bytes: 15_900_000_000,
        buffer_bytes: 38_400_000,
        unacked: 2,
        dropped: 0,
        storage: null,
        oldest_unacked: iso(now - 9000),
        certificate_expires: iso(now + 21 * 24 * HOUR),
        lines: lines.map((name, i) => ({
          name,
          up: true,
          busy: [0.12, 0.71, 0.44][i] ?? 0,
          wasted: i === 1 ? 0.06 : 0,
          planned: [0.11, 0.62, 0.43][i] ?? 0,
          requests: 918_220 - i * 211_000,
          errors: i === 1 ? 4210 : 3,
          last_error: i === 1 ? "no reply within 300 ms" : null,
          troubles:
            i === 1
              ? [
                  {
                    what: "errors_grow",
                    device: devices[1]?.key ?? null,
                    count: 61,
                    of: 2210,
                    points: [],
                    baud: null,
                  },
                ]
              : [],
        })),
        devices: devices
          .filter((d) => d.gateway === "g1")
          .map((d, i) => ({
            key: d.key,
            silent: d.silent,
            requests: 88_000 + i * 120,
            errors: d.silent ? 4201 : i,
            last_good: iso(now - (d.silent ? 14 * 60_000 : 1500)),
            turnaround_ms: d.silent ? null : 8.4 + i * 5.2,
            last_error: d.silent ? "no reply within 300 ms" : null,
          })),
      },
    },
    {
      id: "g2",
      name: "boiler-house",
      site: "s2",
      state: "offline",
      version: 1,
      program: "0.1.0",
      last_seen: iso(now - 47 * 60_000),
      address: "10.20.3.58",
      road: null,
      blocked_port: null,
      enrolled_at: iso(now - 3 * 24 * HOUR),
      certificate_expires: iso(now + 27 * 24 * HOUR),
      buffered: 0,
      counts: { devices: 1, points: METER.points.length },
      health: null,
    },
  ];
}

export const events = (now: number): S["GatewayEvent"][] =>
  [
    ["device_silent", true, "rs485-1", "meter-pumps", 14 * 60_000],
    ["config_applied", false, null, null, 2 * HOUR],
    ["device_silent", false, "rs485-2", "chwp-2", 3 * HOUR],
    ["device_silent", true, "rs485-2", "chwp-2", 3.2 * HOUR],
    ["started", false, null, null, 5 * HOUR],
  ].map(([kind, active, line, device, ago], i) => ({
    id: `e${i}`,
    gateway: "g1",
    at: iso(now - Number(ago)),
    received_at: iso(now - Number(ago) + 400),
    kind: String(kind),
    active: active === true,
    line: line as string | null,
    device: device as string | null,
    detail: "",
    facts: {},
    security: false,
  }));
