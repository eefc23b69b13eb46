// The tree at the left, and what it leads to at the right.
import { useQueries, useQuery } from "@tanstack/react-query";
import { Outlet, useParams, useSearch } from "@tanstack/react-router";
import { createContext, useContext, useMemo, useState } from "react";

import { devicesQuery, gatewaysQuery, pointsQuery, sitesQuery } from "../../api/queries";
import type { Point } from "../../api/types";
import { useI18n } from "../../i18n/i18n";
import { QueryState } from "../../parts/state";
import { Panel } from "../../ui/page";
import { buildTree, type Node } from "./tree-nodes";
import { TreePanel } from "./tree-panel";

/** The whole tree, unfiltered, for the pages at the right. */
const TreeContext = createContext<Node[]>([]);
export const useTree = (): Node[] => useContext(TreeContext);

export function Explore() {
  const i18n = useI18n();
  const search = useSearch({ from: "/inside/explore" });
  const params = useParams({ strict: false }) as { id?: string };
  const sites = useQuery(sitesQuery);
  const gateways = useQuery(gatewaysQuery);
  const devices = useQuery(devicesQuery);
  const [opened, setOpened] = useState<string[]>([]);
  const pointLists = useQueries({ queries: opened.map((id) => pointsQuery(id)) });

  // The combined result of the open devices' lists is new at every draw; its content changes with this.
  const stamp = pointLists.map((l) => l.dataUpdatedAt).join();
  const points = useMemo(() => {
    const found = new Map<string, Point[]>();
    opened.forEach((id, i) => {
      const list = pointLists[i]?.data;
      if (list) found.set(id, list);
    });
    return found;
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [opened, stamp]);
  const estate = useMemo(
    () => ({
      sites: sites.data ?? [],
      gateways: gateways.data ?? [],
      devices: devices.data ?? [],
      points,
    }),
    [sites.data, gateways.data, devices.data, points],
  );
  const all = useMemo(() => buildTree(estate, i18n), [estate, i18n]);
  const shown = useMemo(
    () => (search.q ? buildTree(estate, i18n, search.q) : all),
    [estate, i18n, search.q, all],
  );
  const isDetail = params.id !== undefined || search.node !== undefined || search.only !== undefined;
  return (
    <TreeContext value={all}>
      <div className="st-explore" data-open={isDetail ? "detail" : "tree"}>
        <aside className="st-panel st-tree" aria-label={i18n.t("tree.title")}>
          <h1 className="st-tree-title">{i18n.t("nav.devices")}</h1>
          <QueryState query={devices}>
            {() => <TreePanel nodes={shown} q={search.q ?? ""} opened={opened} open={setOpened} />}
          </QueryState>
        </aside>
        <div className="st-detail">
          {devices.isError ? (
            <Panel>
              <QueryState query={devices}>{() => null}</QueryState>
            </Panel>
          ) : (
            <Outlet />
          )}
        </div>
      </div>
    </TreeContext>
  );
}
