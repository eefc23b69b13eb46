// One line of the legend: whose it is, its figures in the window, its value now.
import { CloseOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Button } from "antd";

import { pointQuery } from "../../api/queries";
import type { Point } from "../../api/types";
import { unitSymbol } from "../../format/unit";
import { formatNumber } from "../../format/value";
import { useI18n } from "../../i18n/i18n";
import { LiveValueText } from "../../parts/marks";
import { summaryOf, type Trace } from "./chart-data";

export function LegendItem(props: {
  point: Point;
  trace: Trace | undefined;
  color: string;
  label: string;
  away: boolean;
  /** A window that has passed has no present value. */
  fixed: boolean;
  growth: boolean;
  remove: () => void;
}) {
  const { t } = useI18n();
  const { point, trace } = props;
  const unit = unitSymbol(point.unit);
  const figures =
    trace && point.kind !== "flag" && point.kind !== "enumeration" ? summaryOf(trace) : undefined;
  const show = (v: number) => formatNumber(v, point.decimals);
  // What the chart holds of a point does not change with its values.
  const shown = useQuery(pointQuery(point.id)).data ?? point;
  return (
    <div className="st-legend-item">
      <span className="st-swatch" style={{ color: props.color }} />
      <span className="st-list-main">
        <Names label={props.label} />
        <div className="st-quiet st-small st-num">
          {point.kind === "counter" && `${props.growth ? t("chart.growth.short") : t("point.counter")} · `}
          {figures
            ? point.kind === "counter" && !props.growth
              ? t("chart.grew", { n: show(trace?.grew ?? 0), unit })
              : t("chart.figures", {
                  low: show(figures.low),
                  mean: show(figures.mean),
                  high: show(figures.high),
                })
            : null}
        </div>
      </span>
      {!props.fixed && <LiveValueText point={shown} away={props.away} />}
      <Button
        type="text"
        size="small"
        icon={<CloseOutlined />}
        aria-label={t("chart.remove", { name: props.label })}
        onClick={props.remove}
      />
    </div>
  );
}

function Names({ label }: { label: string }) {
  return (
    <div className="st-ellipsis" title={label}>
      {label}
    </div>
  );
}
