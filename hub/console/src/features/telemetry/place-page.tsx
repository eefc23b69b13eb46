// The devices of a site, of a gateway, or of the whole estate.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Button, Segmented } from "antd";

import { devicesQuery, gatewaysQuery } from "../../api/queries";
import type { Device } from "../../api/types";
import { useI18n } from "../../i18n/i18n";
import { DeviceMark } from "../../parts/marks";
import { QueryState } from "../../parts/state";
import { EmptyPlace, PageHead, Panel } from "../../ui/page";
import { Rows } from "../../ui/rows";
import { useTree } from "./explore";
import { devicesBelow, pathTo } from "./tree-nodes";

export function PlacePage() {
  const { t, name, collator } = useI18n();
  const { node: key, only } = useSearch({ from: "/inside/explore" });
  const navigate = useNavigate();
  const tree = useTree();
  const devices = useQuery(devicesQuery);
  const gateways = useQuery(gatewaysQuery).data ?? [];
  const path = key ? pathTo(tree, key) : [];
  const node = path.at(-1);
  const all = node ? devicesBelow(node) : tree.flatMap(devicesBelow);
  const silent = all.filter((d) => d.silent).length;
  const shown = only === "silent" ? all.filter((d) => d.silent) : all;
  const filter = (value: string) =>
    void navigate({
      to: "/devices",
      search: (before) => ({ ...before, only: value === "silent" ? ("silent" as const) : undefined }),
    });
  return (
    <>
      <PageHead
        crumbs={
          key || only ? (
            <>
              <Link to="/devices">{t("tree.all")}</Link>
              {path.slice(0, -1).map((n) => (
                <span key={n.key}>
                  {"/ "}
                  <Link to="/devices" search={{ node: n.key }}>
                    {n.text}
                  </Link>
                </span>
              ))}
            </>
          ) : undefined
        }
        title={node?.text ?? t("nav.devices")}
        sub={t("place.sub", { n: all.length, silent })}
        acts={
          <>
            <Segmented
              value={only ?? "all"}
              onChange={filter}
              aria-label={t("place.filter")}
              options={[
                { value: "all", label: t("place.all") },
                { value: "silent", label: t("place.silent", { n: silent }) },
              ]}
            />
            {node?.gateway && (
              <Link to="/gateways/$id" params={{ id: node.gateway.id }}>
                <Button>{t("place.gateway")}</Button>
              </Link>
            )}
          </>
        }
      />
      <Panel>
        <QueryState
          query={devices}
          isEmpty={() => shown.length === 0}
          empty={
            only === "silent" ? (
              <EmptyPlace title={t("place.nosilent.title")} text={t("place.nosilent.text")} />
            ) : (
              <EmptyPlace
                title={t("place.empty.title")}
                text={t("place.empty.text")}
                act={
                  <Link to="/gateways">
                    <Button>{t("nav.gateways")}</Button>
                  </Link>
                }
              />
            )
          }
        >
          {() => (
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
                    <Link to="/devices/$id" params={{ id: d.id }}>
                      {name(d.title) || d.key}
                    </Link>
                  ),
                },
                {
                  key: "state",
                  title: t("gateway.state"),
                  card: "side",
                  compare: (a, b) => Number(b.silent) - Number(a.silent),
                  render: (d) => <DeviceMark device={d} />,
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
                  render: (d) => gateways.find((g) => g.id === d.gateway)?.name,
                },
              ]}
            />
          )}
        </QueryState>
      </Panel>
    </>
  );
}
