// The tree itself, with a box to narrow it.
import {
  ApartmentOutlined,
  EnvironmentOutlined,
  HddOutlined,
  LineChartOutlined,
  SearchOutlined,
} from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Checkbox, Input, Tree, type TreeDataNode } from "antd";
import { useMemo, useState, type ReactNode } from "react";

import { devicesQuery, pointSearchQuery } from "../../api/queries";
import { isDrawable } from "../../format/value";
import { useI18n } from "../../i18n/i18n";
import { DEVICE_TONE, gatewayState, gatewayTone } from "../../parts/marks";
import { Shape } from "../../ui/mark";
import { useTyped } from "../../ui/typed";
import type { ExploreSearch } from "./explore-search";
import { keysOf, pathTo, type Node } from "./tree-nodes";

const ICONS: Record<Node["kind"], ReactNode> = {
  site: <EnvironmentOutlined />,
  gateway: <HddOutlined />,
  device: <ApartmentOutlined />,
  point: <LineChartOutlined />,
};

export function TreePanel(props: {
  nodes: Node[];
  q: string;
  /** Devices out of use that there are. */
  unused: number;
  opened: string[];
  open: (devices: string[]) => void;
}) {
  const { t } = useI18n();
  const navigate = useNavigate();
  const search = useSearch({ from: "/inside/explore" });
  const params = useParams({ strict: false }) as { id?: string };
  const chosen = params.id ? `device:${params.id}` : search.node;
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());

  // Sites and gateways stand open until somebody closes them; devices show their points when opened.
  const upper = useMemo(() => keysOf(props.nodes, ["site", "gateway"]), [props.nodes]);
  const expanded = [
    ...upper.filter((key) => props.q || !closed.has(key)),
    ...props.opened.map((id) => `device:${id}`),
  ];

  const onExpand = (keys: readonly unknown[]) => {
    const now = new Set(keys.map(String));
    setClosed(new Set(upper.filter((key) => !now.has(key))));
    props.open([...now].filter((k) => k.startsWith("device:")).map((k) => k.slice(7)));
  };
  const setQ = (q: string) =>
    void navigate({ to: ".", search: (before) => ({ ...before, q: q || undefined }), replace: true });
  const typed = useTyped(props.q, setQ);
  const setUnused = (on: boolean) =>
    void navigate({
      to: ".",
      search: (before) => ({ ...before, unused: on ? "1" : undefined }),
      replace: true,
    });
  const go = (key: string) => {
    const [kind = "", id = ""] = key.split(/:(.*)/s);
    const kept: ExploreSearch = search.unused ? { unused: search.unused } : {};
    // What was typed a moment ago goes along, though the address does not have it yet.
    if (typed.value) kept.q = typed.value;
    if (kind === "device") void navigate({ to: "/devices/$id", params: { id }, search: kept });
    else if (kind === "point") {
      const point = pathTo(props.nodes, key).at(-1)?.point;
      if (point && !isDrawable(point.kind)) go(`device:${point.device}`);
      else void navigate({ to: "/chart", search: { points: id } });
    } else void navigate({ to: "/devices", search: { ...kept, node: key } });
  };

  return (
    <>
      <div className="st-tree-search">
        <Input
          allowClear
          prefix={<SearchOutlined />}
          placeholder={t("tree.search")}
          aria-label={t("tree.search")}
          {...typed}
        />
        {(props.unused > 0 || search.unused) && (
          <Checkbox
            className="st-tree-unused"
            checked={search.unused === "1"}
            onChange={(event) => setUnused(event.target.checked)}
          >
            {t("tree.unused", { n: props.unused })}
          </Checkbox>
        )}
      </div>
      <div className="st-tree-scroll">
        {props.nodes.length === 0 ? (
          <p className="st-quiet st-tree-none">
            {props.q ? t("tree.nothing", { q: props.q }) : t("tree.empty")}
          </p>
        ) : (
          <Tree
            blockNode
            showIcon={false}
            virtual={false}
            expandedKeys={expanded}
            onExpand={onExpand}
            selectedKeys={chosen && pathTo(props.nodes, chosen).length > 0 ? [chosen] : []}
            onSelect={(_, { node }) => go(String(node.key))}
            treeData={props.nodes.map(toData)}
          />
        )}
        {props.q && <PointHits q={props.q} />}
      </div>
    </>
  );

  function toData(node: Node): TreeDataNode {
    return {
      key: node.key,
      title: <Title node={node} />,
      isLeaf: node.kind === "point",
      children: node.children.map(toData),
    };
  }
}

function Title({ node }: { node: Node }) {
  const { t } = useI18n();
  const tone = node.gateway ? gatewayTone(node.gateway.state) : node.state && DEVICE_TONE[node.state];
  const state = node.gateway
    ? t(`gateway.state.${gatewayState(node.gateway.state)}`)
    : node.state
      ? t(`device.state.${node.state}`)
      : "";
  return (
    <span className="st-node" data-node={node.key}>
      <span className="st-quiet">{ICONS[node.kind]}</span>
      <span className="st-node-name" title={node.text}>
        {node.text}
      </span>
      <span className="st-node-count st-num">
        {node.kind === "site" && node.devices}
        {tone && tone !== "good" && (
          <span title={state}>
            <Shape tone={tone} />
            <span className="st-hidden">{state}</span>
          </span>
        )}
      </span>
    </span>
  );
}

/** Points are found by the hub: the tree holds only those of opened devices. */
function PointHits({ q }: { q: string }) {
  const { t, name } = useI18n();
  const points = useQuery(pointSearchQuery(q)).data ?? [];
  const devices = useQuery(devicesQuery).data ?? [];
  if (points.length === 0) return null;
  return (
    <div className="st-tree-hits">
      <div className="st-nav-group">{t("tree.points")}</div>
      {points.slice(0, 30).map((point) => {
        const device = devices.find((d) => d.id === point.device);
        const words = (
          <>
            <span className="st-ellipsis">{name(point.title) || point.key}</span>
            <span className="st-quiet st-small st-ellipsis">{device && name(device.title)}</span>
          </>
        );
        return isDrawable(point.kind) ? (
          <Link key={point.id} to="/chart" search={{ points: String(point.id) }} className="st-tree-hit">
            {words}
          </Link>
        ) : (
          <Link key={point.id} to="/devices/$id" params={{ id: point.device }} className="st-tree-hit">
            {words}
          </Link>
        );
      })}
    </div>
  );
}
