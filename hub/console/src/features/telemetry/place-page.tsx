// The devices of a site, of a gateway, or of the whole estate.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Button, Segmented } from "antd";

import { gatewaysQuery } from "../../api/queries";
import type { Device } from "../../api/types";
import { useI18n } from "../../i18n/i18n";
import { LinkButton } from "../../parts/link-button";
import { DeviceMark } from "../../parts/marks";
import { deviceState, type DeviceState } from "../../parts/reach";
import { QueryState } from "../../parts/state";
import { EmptyPlace, PageHead, Panel } from "../../ui/page";
import { Rows } from "../../ui/rows";
import { useAskedTree } from "./explore";
import type { ExploreSearch } from "./explore-search";
import { devicesBelow, pathTo, type Node } from "./tree-nodes";

/** What needs somebody stands first. */
const RANK: DeviceState[] = ["silent", "line_down", "unknown", "answering", "unused"];

export function PlacePage() {
  return <QueryState query={useAskedTree()}>{(tree) => <Ready tree={tree} />}</QueryState>;
}

function Ready({ tree }: { tree: Node[] }) {
  const { t, name, collator } = useI18n();
  const search = useSearch({ from: "/inside/explore" });
  const { node: key, only, unused } = search;
  const navigate = useNavigate();
  const gateways = useQuery(gatewaysQuery).data ?? [];
  const gatewayOf = (d: Device) => gateways.find((g) => g.id === d.gateway);
  const stateOf = (d: Device) => deviceState(d, gatewayOf(d));
  const path = key ? pathTo(tree, key) : [];
  const node = path.at(-1);
  const all = node ? devicesBelow(node) : key ? [] : tree.flatMap(devicesBelow);
  const inUse = all.filter((d) => stateOf(d) !== "unused");
  const silent = inUse.filter((d) => stateOf(d) === "silent");
  const unknown = inUse.filter((d) => ["unknown", "line_down"].includes(stateOf(d))).length;
  const shown = only === "silent" ? silent : unused ? all : inUse;
  const kept = unused ? { unused } : {};
  const go = (change: Partial<ExploreSearch>) =>
    void navigate({ to: "/devices", search: { ...search, ...change } });
  return (
    <>
      <PageHead
        crumbs={
          key || only ? (
            <>
              <Link to="/devices" search={kept}>
                {t("tree.all")}
              </Link>
              {path.slice(0, -1).map((n) => (
                <span key={n.key}>
                  {"/ "}
                  <Link to="/devices" search={{ ...kept, node: n.key }}>
                    {n.text}
                  </Link>
                </span>
              ))}
            </>
          ) : undefined
        }
        title={node?.text ?? t("nav.devices")}
        sub={
          <>
            {t("place.sub", { n: inUse.length, silent: silent.length })}
            {unknown > 0 && ` · ${t("place.sub.unknown", { n: unknown })}`}
          </>
        }
        acts={
          <>
            <Segmented
              value={only ?? "all"}
              onChange={(value) => go({ only: value === "silent" ? "silent" : undefined })}
              aria-label={t("place.filter")}
              options={[
                { value: "all", label: t("place.all") },
                { value: "silent", label: t("place.silent", { n: silent.length }) },
              ]}
            />
            {node?.gateway && (
              <LinkButton to="/gateways/$id" params={{ id: node.gateway.id }}>
                {t("place.gateway")}
              </LinkButton>
            )}
          </>
        }
      />
      <Panel>
        {shown.length === 0 ? (
          nothing()
        ) : (
          <Rows<Device>
            label={t("nav.devices")}
            items={shown}
            rowKey={(d) => d.id}
            columns={[
              {
                key: "name",
                title: t("kind.device"),
                card: "head",
                compare: (a, b) => collator.compare(name(a.title), name(b.title)),
                render: (d) => (
                  <Link to="/devices/$id" params={{ id: d.id }} className="st-wrap">
                    {name(d.title) || d.key}
                  </Link>
                ),
              },
              {
                key: "state",
                title: t("gateway.state"),
                card: "side",
                compare: (a, b) => RANK.indexOf(stateOf(a)) - RANK.indexOf(stateOf(b)),
                render: (d) => <DeviceMark device={d} gateway={gatewayOf(d)} />,
              },
              {
                key: "model",
                title: t("device.model"),
                render: (d) => [d.vendor, d.model].filter(Boolean).join(" "),
              },
              {
                key: "place",
                title: t("device.place"),
                compare: (a, b) => collator.compare(a.place, b.place),
                render: (d) => d.place,
              },
              {
                key: "line",
                title: t("device.line"),
                render: (d) => (
                  <span className="st-mono">
                    {d.line} #{d.address}
                  </span>
                ),
              },
              {
                key: "gateway",
                title: t("kind.gateway"),
                render: (d) => <span className="st-wrap">{gatewayOf(d)?.name}</span>,
              },
            ]}
          />
        )}
      </Panel>
    </>
  );

  function nothing() {
    if (key && !node) return <EmptyPlace title={t("place.gone.title")} text={t("place.gone.text")} />;
    if (only === "silent" && inUse.length > 0) {
      return (
        <EmptyPlace
          title={t("place.nosilent.title")}
          text={unknown > 0 ? t("place.nosilent.unknown", { n: unknown }) : t("place.nosilent.text")}
        />
      );
    }
    if (all.length > 0) {
      return (
        <EmptyPlace
          title={t("place.unused.title")}
          text={t("place.unused.text", { n: all.length })}
          act={<Button onClick={() => go({ only: undefined, unused: "1" })}>{t("place.unused.act")}</Button>}
        />
      );
    }
    return (
      <EmptyPlace
        title={t("place.empty.title")}
        text={t("place.empty.text")}
        act={<LinkButton to="/gateways">{t("nav.gateways")}</LinkButton>}
      />
    );
  }
}
