// The tree at the left, and what it leads to at the right.
import { useQueries, useQuery } from "@tanstack/react-query";
import { Outlet, useParams, useSearch } from "@tanstack/react-router";
import { createContext, useContext, useMemo, useState } from "react";

import { devicesQuery, gatewaysQuery, pointsQuery, sitesQuery } from "../../api/queries";
import type { Point } from "../../api/types";
import { useI18n } from "../../i18n/i18n";
import { isRetired } from "../../parts/reach";
import { QueryState, type Asked } from "../../parts/state";
import { buildTree, type Node } from "./tree-nodes";
import { TreePanel } from "./tree-panel";
import "./explore.css";

const NOT_YET: Asked<Node[]> = { data: undefined, isError: false, error: null, refetch: () => undefined };

/** The whole tree, with what is out of use, for the pages at the right. */
const TreeContext = createContext<Asked<Node[]>>(NOT_YET);
export const useAskedTree = (): Asked<Node[]> => useContext(TreeContext);
export const useTree = (): Node[] => useContext(TreeContext).data ?? [];

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
  const { q = "", unused } = search;
  const all = useMemo(() => buildTree(estate, i18n, { unused: true }), [estate, i18n]);
  const shown = useMemo(
    () => buildTree(estate, i18n, { q, unused: unused === "1" }),
    [estate, i18n, q, unused],
  );
  const retired = useMemo(() => {
    const known = new Map(estate.gateways.map((g) => [g.id, g]));
    return estate.devices.filter((d) => isRetired(d, known.get(d.gateway))).length;
  }, [estate]);
  // A tree that lacks its sites or gateways would say that there is nothing.
  const lacking = [devices, gateways, sites].filter((list) => list.data === undefined);
  const missing = lacking.find((list) => list.isError) ?? lacking[0];
  const { isError = false, error = null, refetch = NOT_YET.refetch } = missing ?? {};
  const tree = useMemo<Asked<Node[]>>(
    () => ({ data: missing ? undefined : all, isError, error, refetch }),
    [missing, all, isError, error, refetch],
  );
  const isDetail = params.id !== undefined || search.node !== undefined || search.only !== undefined;
  return (
    <TreeContext value={tree}>
      <div className="st-explore" data-open={isDetail ? "detail" : "tree"}>
        <aside className="st-panel st-tree" aria-label={i18n.t("tree.title")}>
          <h1 className="st-tree-title">{i18n.t("nav.devices")}</h1>
          <QueryState query={tree}>
            {() => <TreePanel nodes={shown} q={q} unused={retired} opened={opened} open={setOpened} />}
          </QueryState>
        </aside>
        <div className="st-detail">
          <Outlet />
        </div>
      </div>
    </TreeContext>
  );
}
