// Points over time: which, when, and the chart.
import { useQueries, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Alert, Button, Skeleton } from "antd";
import { useMemo, useState } from "react";
import type uPlot from "uplot";

import { isProblem } from "../../api/problem";
import { devicesQuery, gatewaysQuery, pointQuery } from "../../api/queries";
import type { Point } from "../../api/types";
import { isDrawable } from "../../format/value";
import { useI18n } from "../../i18n/i18n";
import { Fault } from "../../parts/fault";
import { LinkButton } from "../../parts/link-button";
import { isAway } from "../../parts/reach";
import { EmptyPlace, PageHead, Panel } from "../../ui/page";
import { readPoints, type ChartSearch } from "./chart-search";
import { ChartTools } from "./chart-tools";
import { ChartView } from "./chart-view";
import { PointPicker } from "./point-picker";
import { usePointName } from "./point-name";
import "./chart.css";

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
  const unexpected = answers.find((a) => a.isError && !isProblem(a.error, 404));
  const waiting = answers.some((a) => a.isPending);
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
  const remove = (id: number) => setPoints(ids.filter((each) => each !== id));
  const unknown = ids.filter((_, i) => isProblem(answers[i]?.error, 404));
  const texts = loaded.filter((p) => !isDrawable(p.kind));
  const setPoints = (next: number[]) => set({ points: next.length > 0 ? next.join(",") : undefined });

  const fullName = usePointName(devices);
  const title = points.map(fullName).join(t("chart.and"));

  return (
    <>
      <PageHead
        title={t("nav.chart")}
        tab={points.length > 0 ? title : t("nav.chart")}
        sub={points.length > 0 ? title : t("chart.sub")}
        acts={<PointPicker chosen={ids} choose={setPoints} devices={devices} />}
      />
      {unexpected && (
        <div className="st-gap">
          <Fault error={unexpected.error} again={() => void unexpected.refetch()} />
        </div>
      )}
      {unknown.map((id) => (
        <Undrawn key={id} remove={() => remove(id)} text={t("chart.unknown", { id })} />
      ))}
      {texts.map((p) => (
        <Undrawn key={p.id} remove={() => remove(p.id)} text={t("chart.text", { name: fullName(p) })} />
      ))}
      <Panel>
        {ids.length === 0 ? (
          <EmptyPlace
            title={t("chart.empty.title")}
            text={t("chart.empty.text")}
            act={<LinkButton to="/devices">{t("chart.empty.act")}</LinkButton>}
          />
        ) : points.length === 0 ? (
          waiting ? (
            <div className="st-panel-body" aria-busy="true" aria-label={t("state.loading")}>
              <Skeleton active paragraph={{ rows: 9 }} title={false} />
            </div>
          ) : unexpected ? null : (
            <EmptyPlace title={t("chart.undrawn.title")} text={t("chart.undrawn.text")} />
          )
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
              remove={remove}
            />
          </>
        )}
      </Panel>
    </>
  );
}

/** A point of the address that has no line: said once, and taken out with one click. */
function Undrawn({ text, remove }: { text: string; remove: () => void }) {
  const { t } = useI18n();
  return (
    <Alert
      className="st-gap"
      type="info"
      showIcon
      title={text}
      action={<Button onClick={remove}>{t("act.remove")}</Button>}
    />
  );
}
