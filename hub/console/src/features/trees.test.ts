import { describe, expect, it } from "vitest";

import type { Device, Gateway, Site } from "../api/types";
import { makeI18n } from "../i18n/i18n";
import { countDevices } from "../parts/reach";
import { matters } from "./overview/attention";
import { kindsIn, siteRows } from "./sites/site-tree";
import { buildTree, devicesBelow, pathTo } from "./telemetry/tree-nodes";

const i18n = makeI18n("en");
const site = (id: string, parent: string | null, name: string): Site =>
  ({ id, parent, name, kind: "building", code: "", version: 1 }) as Site;
const gateway = (id: string, over: Partial<Gateway> = {}): Gateway =>
  ({
    id,
    name: id,
    state: "online",
    site: null,
    health: null,
    counts: { devices: 1, points: 1 },
    ...over,
  }) as Gateway;
const device = (id: string, over: Partial<Device> = {}): Device =>
  ({
    id,
    gateway: "g",
    key: id,
    title: { zh: "", en: id },
    place: "",
    model: "",
    in_use: true,
    silent: false,
    ...over,
  }) as Device;
/** Of a gateway with the line "rs485". */
const healthOf = (line: object): Gateway["health"] =>
  ({
    lines: [{ name: "rs485", up: true, troubles: [], ...line }],
    devices: [],
  }) as unknown as Gateway["health"];

describe("the device tree", () => {
  const estate = {
    sites: [site("a", null, "Campus"), site("b", "a", "House")],
    gateways: [gateway("g", { site: "b" }), gateway("lost", { site: "gone" })],
    devices: [device("meter 10"), device("meter 2", { silent: true }), device("old", { in_use: false })],
    points: new Map(),
  };
  it("stands sites over gateways over devices, and leaves nothing out", () => {
    const tree = buildTree(estate, i18n);
    expect(pathTo(tree, "device:meter 2").map((n) => n.key)).toEqual([
      "site:a",
      "site:b",
      "gateway:g",
      "device:meter 2",
    ]);
    expect(tree.map((n) => n.key)).toContain("gateway:lost");
  });
  it("counts devices in use upward", () => {
    const [top] = buildTree(estate, i18n);
    expect(top?.devices).toBe(2);
    expect(top && devicesBelow(top).map((d) => d.id)).toEqual(["meter 2", "meter 10"]);
  });
  it("has what is out of use when that is asked for, and does not count it", () => {
    const revoked = { ...estate, gateways: [...estate.gateways, gateway("gone", { state: "revoked" })] };
    const old = { ...revoked, devices: [...estate.devices, device("its", { gateway: "gone" })] };
    expect(pathTo(buildTree(old, i18n), "device:its")).toEqual([]);
    const all = buildTree(old, i18n, { unused: true });
    expect(pathTo(all, "device:its").at(-1)?.state).toBe("unused");
    expect(pathTo(all, "device:old").at(-1)?.state).toBe("unused");
    expect(all[0]?.devices).toBe(2);
  });
  it("knows nothing of a device whose gateway is away", () => {
    const away = { ...estate, gateways: [gateway("g", { site: "b", state: "offline" })] };
    expect(pathTo(buildTree(away, i18n), "device:meter 2").at(-1)?.state).toBe("unknown");
  });
  it("knows nothing of a device whose line is down, and calls it neither silent nor answering", () => {
    const cut = gateway("g", { site: "b", health: healthOf({ up: false }) });
    const devices = [device("cut", { line: "rs485" }), device("other", { line: "tcp" })];
    const tree = buildTree({ ...estate, gateways: [cut], devices }, i18n);
    expect(pathTo(tree, "device:cut").at(-1)?.state).toBe("line_down");
    expect(pathTo(tree, "device:other").at(-1)?.state).toBe("answering");
    expect(countDevices(devices, [cut])).toEqual({ inUse: 2, answering: 1, silent: 0, unknown: 1 });
  });
  it("narrows to what was typed", () => {
    const tree = buildTree(estate, i18n, { q: "10" });
    expect(tree).toHaveLength(1);
    expect(tree[0] && devicesBelow(tree[0]).map((d) => d.id)).toEqual(["meter 10"]);
  });
});

describe("sites", () => {
  it("stand below their parents, in order", () => {
    const rows = siteRows([site("2", "1", "B"), site("1", null, "X"), site("3", "1", "A")], i18n.collator);
    expect(rows.map((r) => [r.site.id, r.depth])).toEqual([
      ["1", 0],
      ["3", 1],
      ["2", 1],
    ]);
  });
  it("hold only what is smaller than they are", () => {
    expect(kindsIn("building")).toEqual(["floor", "room"]);
    expect(kindsIn("room")).toEqual([]);
  });
});

describe("devices are counted", () => {
  it("as answering only while their gateway is there", () => {
    const gateways = [gateway("g"), gateway("h", { state: "offline" }), gateway("r", { state: "revoked" })];
    const devices = [
      device("a"),
      device("b", { silent: true }),
      device("c", { gateway: "h" }),
      device("d", { gateway: "h", silent: true }),
      device("e", { gateway: "r" }),
      device("f", { in_use: false }),
    ];
    expect(countDevices(devices, gateways)).toEqual({ inUse: 4, answering: 1, silent: 1, unknown: 2 });
  });
});

describe("what needs somebody", () => {
  it("of an offline gateway is the gateway, not each of its devices", () => {
    const found = matters([gateway("g", { state: "offline" })], [device("d", { silent: true })], 0);
    expect(found.map((m) => m.kind)).toEqual(["gateway_offline"]);
  });
  it("is a silent device in use", () => {
    const devices = [device("d", { silent: true }), device("e", { silent: true, in_use: false })];
    expect(matters([gateway("g")], devices, 0).map((m) => m.id)).toEqual(["dd"]);
  });
  it("of a line that is down is the line, not each of its devices", () => {
    const devices = [device("d", { silent: true, line: "rs485" })];
    const found = matters([gateway("g", { health: healthOf({ up: false }) })], devices, 0);
    expect(found.map((m) => m.kind)).toEqual(["line_down"]);
  });
  it("is a line that has troubles to be mended, once for all of them", () => {
    const trouble = (what: string) => ({ what, count: 3, of: 10, points: [] });
    const health = healthOf({ troubles: [trouble("two_answers"), trouble("two_answers"), trouble("hasty")] });
    const found = matters([gateway("g", { health })], [], 0);
    expect(found.map((m) => [m.kind, m.line, m.troubles])).toEqual([
      ["line_trouble", "rs485", ["two_answers"]],
    ]);
    expect(matters([gateway("g", { health: healthOf({ troubles: [trouble("hasty")] }) })], [], 0)).toEqual(
      [],
    );
  });
  it("is a certificate about to end", () => {
    const soon = gateway("g", { certificate_expires: "1970-01-03T00:00:00Z" });
    expect(matters([soon], [], 0).map((m) => m.kind)).toEqual(["certificate_ends"]);
  });
});
