// Points over time: which, when, and the chart.
import { useQueries, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Button } from "antd";
import { useMemo, useState } from "react";
import type uPlot from "uplot";

import { devicesQuery, gatewaysQuery, pointQuery } from "../../api/queries";
import type { Point } from "../../api/types";
import { isDrawable } from "../../format/value";
import { useI18n } from "../../i18n/i18n";
import { Fault } from "../../parts/fault";
import { isAway } from "../../parts/reach";
import { EmptyPlace, PageHead, Panel } from "../../ui/page";
import { readPoints, type ChartSearch } from "./chart-search";
import { ChartTools } from "./chart-tools";
import { ChartView } from "./chart-view";
import { PointPicker } from "./point-picker";
import { usePointName } from "./point-name";

export function ChartPage() {
  const { t } = useI18n();
  const search = useSearch({ from: "/inside/chart" });
  const navigate = useNavigate();
  const ids = useMemo(() => readPoints(search.points), [search.points]);
  const answers = useQueries({ queries: ids.map(pointQuery) });
  const devices = useQuery(devicesQuery).data ?? [];
  const gateways = useQuery(gatewaysQuery).data ?? [];
  const awayOf = (point: Point) => {
    const device = devices.find((d) => d.id === point.device);
    return isAway(gateways.find((g) => g.id === device?.gateway));
  };
  const [plots] = useState(() => new Map<string, uPlot>());

  const loaded = answers.map((a) => a.data).filter((p): p is Point => p !== undefined);
  const failed = answers.find((a) => a.isError);
  // A point's latest value changes with the stream; the chart only needs to know what kind of point it is.
  const stamp = loaded.map((p) => p.id).join();
  const points = useMemo(
    () => loaded.filter((p) => isDrawable(p.kind)),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [stamp],
  );
  const set = (change: Partial<ChartSearch>, replace = false) =>
    void navigate({
      to: "/chart",
      replace,
      search: { ...search, ...change },
    });
  const setPoints = (next: number[]) => set({ points: next.length > 0 ? next.join(",") : undefined });

  const fullName = usePointName(devices);
  const title = points.map(fullName).join(t("chart.and"));

  return (
    <>
      <PageHead
        title={t("nav.chart")}
        sub={points.length > 0 ? title : t("chart.sub")}
        acts={<PointPicker chosen={ids} choose={setPoints} devices={devices} />}
      />
      {failed && (
        <div className="st-gap">
          <Fault error={failed.error} again={() => void failed.refetch()} />
        </div>
      )}
      <Panel>
        {ids.length === 0 ? (
          <EmptyPlace
            title={t("chart.empty.title")}
            text={t("chart.empty.text")}
            act={
              <Link to="/devices">
                <Button>{t("chart.empty.act")}</Button>
              </Link>
            }
          />
        ) : (
          <>
            <ChartTools
              search={search}
              set={set}
              points={points}
              plots={plots}
              title={title}
              fullName={fullName}
            />
            <ChartView
              search={search}
              set={set}
              points={points}
              fullName={fullName}
              awayOf={awayOf}
              plots={plots}
              remove={(id) => setPoints(ids.filter((each) => each !== id))}
            />
          </>
        )}
      </Panel>
    </>
  );
}
