// When: presets, a time of one's own, steps back and forth; and the ways to take the chart along.
import {
  DownloadOutlined,
  LeftOutlined,
  MinusOutlined,
  PictureOutlined,
  PlusOutlined,
  RightOutlined,
} from "@ant-design/icons";
import { App, Button, DatePicker, Dropdown, Segmented, Space, Switch, Tooltip } from "antd";
import dayjs from "dayjs";
import { useMemo } from "react";
import type uPlot from "uplot";

import { hubNow } from "../../api/clock";
import type { Point } from "../../api/types";
import { minute, zone } from "../../format/time";
import { unitSymbol } from "../../format/unit";
import { useI18n } from "../../i18n/i18n";
import { usePreferences } from "../../parts/preferences";
import { download, follow } from "../../ui/download";
import { lanesOf } from "./chart-data";
import { FONT, lineColor, look } from "./chart-look";
import { pictureOf } from "./chart-picture";
import { isFixed, RANGES, rangeOf, spanOf, windowOf, type ChartSearch, type Range } from "./chart-search";
import type { FullName } from "./point-name";
import { csvAddress, useSeries } from "./series-query";

interface Props {
  search: ChartSearch;
  set: (change: Partial<ChartSearch>, replace?: boolean) => void;
  points: Point[];
  plots: Map<string, uPlot>;
  title: string;
  fullName: FullName;
}

export function windowNow(search: ChartSearch): [from: number, to: number] {
  if (search.from !== undefined && search.to !== undefined) return [search.from, search.to];
  const now = hubNow();
  return [now - spanOf(search), now];
}

export function ChartTools({ search, set, points, plots, title, fullName }: Props) {
  const { t, language } = useI18n();
  const { dark } = usePreferences();
  const { message } = App.useApp();
  const fixed = isFixed(search);

  const show = (from: number, to: number) => set({ ...windowOf(from, to), range: undefined });
  const pan = (direction: 1 | -1) => {
    const [from, to] = windowNow(search);
    const by = ((to - from) / 2) * direction;
    show(from + by, to + by);
  };
  const zoom = (factor: number) => {
    const [from, to] = windowNow(search);
    const middle = (from + to) / 2;
    const half = ((to - from) / 2) * factor;
    show(middle - half, middle + half);
  };
  const preset = (value: Range | "own") => {
    if (value !== "own") set({ range: value, from: undefined, to: undefined });
  };
  const ids = useMemo(() => points.map((p) => p.id), [points]);
  const bucket = useSeries(ids, search).data?.bucket_ms ?? 0;
  const csv = (bucketMs: number) => {
    const [from, to] = windowNow(search);
    follow(csvAddress(ids, from, to, bucketMs, language));
  };
  const picture = () => {
    const [from, to] = windowNow(search);
    const ordered = lanesOf(points)
      .map((lane) => plots.get(lane.key))
      .filter((plot) => plot !== undefined);
    if (ordered.length === 0) return;
    const legend = points.map((p, i) => {
      const unit = unitSymbol(p.unit);
      return { label: `${fullName(p)}${unit ? ` (${unit})` : ""}`, color: lineColor(i, dark) };
    });
    const sub = `${minute(from)} – ${minute(to)}, ${zone(to)}`;
    pictureOf(ordered, { title, sub, legend }, look(dark), FONT)
      .then((blob) => download(blob, `steward-${dayjs(to).format("YYYYMMDD-HHmm")}.png`))
      .catch(() => void message.error(t("chart.png.failed")));
  };
  const counters = points.some((p) => p.kind === "counter");
  return (
    <div className="st-chart-tools">
      <Segmented<Range | "own">
        aria-label={t("chart.range")}
        value={fixed ? "own" : rangeOf(search)}
        onChange={preset}
        options={[
          ...RANGES.map((range) => ({ value: range, label: t(`chart.range.${range}`) })),
          ...(fixed ? [{ value: "own" as const, label: t("chart.range.own") }] : []),
        ]}
      />
      <DatePicker.RangePicker
        className="st-range"
        size="middle"
        showTime={{ format: "HH:mm" }}
        format="YYYY-MM-DD HH:mm"
        allowClear={false}
        value={fixed ? [dayjs(search.from), dayjs(search.to)] : null}
        onChange={(range) => {
          const [from, to] = range ?? [];
          if (from && to) show(from.valueOf(), to.valueOf());
        }}
      />
      <Space.Compact>
        <Tooltip title={t("chart.back")}>
          <Button icon={<LeftOutlined />} aria-label={t("chart.back")} onClick={() => pan(-1)} />
        </Tooltip>
        <Tooltip title={t("chart.forth")}>
          <Button
            icon={<RightOutlined />}
            aria-label={t("chart.forth")}
            disabled={!fixed}
            onClick={() => pan(1)}
          />
        </Tooltip>
        <Tooltip title={t("chart.in")}>
          <Button icon={<PlusOutlined />} aria-label={t("chart.in")} onClick={() => zoom(0.5)} />
        </Tooltip>
        <Tooltip title={t("chart.out")}>
          <Button icon={<MinusOutlined />} aria-label={t("chart.out")} onClick={() => zoom(2)} />
        </Tooltip>
      </Space.Compact>
      {counters && (
        <span className="st-switch">
          <Switch
            size="small"
            aria-label={t("chart.growth")}
            checked={search.growth === "1"}
            onChange={(on) => set({ growth: on ? "1" : undefined }, true)}
          />{" "}
          {t("chart.growth")}
        </span>
      )}
      <span className="st-bar-space" />
      <Dropdown
        menu={{
          items: [
            // Where every reading is drawn there is no other table of what is drawn.
            ...(bucket > 0 ? [{ key: "drawn", label: t("chart.csv.drawn") }] : []),
            { key: "read", label: t("chart.csv.read") },
          ],
          onClick: ({ key }) => csv(key === "drawn" ? bucket : 0),
        }}
        trigger={["click"]}
        // By the keyboard, the arrow keys go through what opened.
        autoFocus
      >
        <Button icon={<DownloadOutlined />}>CSV</Button>
      </Dropdown>
      <Button icon={<PictureOutlined />} onClick={picture}>
        PNG
      </Button>
    </div>
  );
}
