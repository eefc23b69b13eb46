// Sites, gateways, devices and points as one tree.
import type { Device, Gateway, Point, Site } from "../../api/types";
import { matches } from "../../format/match";
import { deviceState, isRetired, type DeviceState } from "../../parts/reach";

export interface Node {
  key: string;
  kind: "site" | "gateway" | "device" | "point";
  text: string;
  /** Devices in use, here and below. */
  devices: number;
  gateway?: Gateway;
  device?: Device;
  /** Of a device. */
  state?: DeviceState;
  point?: Point;
  children: Node[];
}

interface Estate {
  sites: Site[];
  gateways: Gateway[];
  devices: Device[];
  points: ReadonlyMap<string, Point[]>;
}
interface Words {
  name: (names: { zh: string; en: string }) => string;
  collator: Intl.Collator;
}

/**
 * Devices stand under their gateway, gateways under their site; a gateway without a site stands at the top. What is
 * out of use is left out unless it is asked for.
 */
export function buildTree(
  { sites, gateways, devices, points }: Estate,
  { name, collator }: Words,
  { q = "", unused = false }: { q?: string; unused?: boolean } = {},
): Node[] {
  const byText = (a: Node, b: Node) => collator.compare(a.text, b.text);
  const wanted = q.trim();

  const deviceNode = (device: Device, gateway: Gateway): Node | undefined => {
    const text = name(device.title) || device.key;
    if (
      wanted &&
      !matches(wanted, device.title.zh, device.title.en, device.key, device.model, device.place)
    ) {
      return undefined;
    }
    const leaves = (points.get(device.id) ?? []).map((point) => ({
      key: `point:${point.id}`,
      kind: "point" as const,
      text: name(point.title) || point.key,
      devices: 0,
      point,
      children: [],
    }));
    const state = deviceState(device, gateway);
    return {
      key: `device:${device.id}`,
      kind: "device",
      text,
      devices: state === "unused" ? 0 : 1,
      device,
      state,
      children: leaves,
    };
  };
  const sum = (children: Node[]) => children.reduce((n, c) => n + c.devices, 0);
  const gatewayNode = (gateway: Gateway): Node | undefined => {
    const children = devices
      .filter((d) => d.gateway === gateway.id && (unused || !isRetired(d, gateway)))
      .map((d) => deviceNode(d, gateway))
      .filter((n) => n !== undefined)
      .sort(byText);
    if (wanted && children.length === 0 && !matches(wanted, gateway.name)) return undefined;
    return {
      key: `gateway:${gateway.id}`,
      kind: "gateway",
      text: gateway.name,
      devices: sum(children),
      gateway,
      children,
    };
  };
  const known = new Set(sites.map((s) => s.id));
  const siteNode = (site: Site): Node | undefined => {
    const children = [
      ...sites
        .filter((s) => s.parent === site.id)
        .map(siteNode)
        .filter((n) => n !== undefined)
        .sort(byText),
      ...gatewaysOf(site.id),
    ];
    if (wanted && children.length === 0 && !matches(wanted, site.name, site.code)) return undefined;
    return {
      key: `site:${site.id}`,
      kind: "site",
      text: site.name,
      devices: sum(children),
      children,
    };
  };
  function gatewaysOf(site: string | undefined): Node[] {
    return gateways
      .filter((g) => unused || g.state !== "revoked")
      .filter((g) => (g.site && known.has(g.site) ? g.site : undefined) === site)
      .map(gatewayNode)
      .filter((n) => n !== undefined)
      .sort(byText);
  }
  return [
    ...sites
      .filter((s) => !s.parent || !known.has(s.parent))
      .map(siteNode)
      .filter((n) => n !== undefined)
      .sort(byText),
    ...gatewaysOf(undefined),
  ];
}

/** The node and all its ancestors, top first; empty where there is none. */
export function pathTo(nodes: Node[], key: string): Node[] {
  for (const node of nodes) {
    if (node.key === key) return [node];
    const below = pathTo(node.children, key);
    if (below.length > 0) return [node, ...below];
  }
  return [];
}

export function devicesBelow(node: Node): Device[] {
  if (node.device) return [node.device];
  return node.children.flatMap(devicesBelow);
}

export function keysOf(nodes: Node[], kinds: Node["kind"][]): string[] {
  return nodes.flatMap((n) => [...(kinds.includes(n.kind) ? [n.key] : []), ...keysOf(n.children, kinds)]);
}
