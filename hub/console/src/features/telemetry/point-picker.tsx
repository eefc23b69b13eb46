// Adds points to the chart: type part of a name, the hub finds it.
import { PlusOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Select, Spin } from "antd";
import { useDeferredValue, useState } from "react";

import { pointSearchQuery } from "../../api/queries";
import type { Device } from "../../api/types";
import { unitSymbol } from "../../format/unit";
import { isDrawable } from "../../format/value";
import { useI18n } from "../../i18n/i18n";
import { useNarrow } from "../../ui/width";
import { MOST_POINTS } from "./chart-search";
import { usePointName } from "./point-name";

export function PointPicker(props: { chosen: number[]; choose: (ids: number[]) => void; devices: Device[] }) {
  const { t } = useI18n();
  const narrow = useNarrow();
  const [q, setQ] = useState("");
  const asked = useDeferredValue(q.trim());
  const found = useQuery(pointSearchQuery(asked));
  const fullName = usePointName(props.devices);
  const full = props.chosen.length >= MOST_POINTS;
  const options = (found.data ?? [])
    .filter((p) => isDrawable(p.kind) && !props.chosen.includes(p.id))
    .map((p) => {
      const unit = unitSymbol(p.unit);
      return { value: p.id, label: `${fullName(p)}${unit ? ` (${unit})` : ""}` };
    });
  return (
    <Select<number>
      className="st-picker"
      showSearch={{ filterOption: false, searchValue: q, onSearch: setQ }}
      suffixIcon={<PlusOutlined />}
      aria-label={t("chart.add")}
      placeholder={full ? t("chart.full", { n: MOST_POINTS }) : t("chart.add")}
      disabled={full}
      value={null as unknown as number}
      options={options}
      popupMatchSelectWidth={narrow ? true : 420}
      notFoundContent={
        asked === "" ? (
          t("chart.add.help")
        ) : found.isFetching ? (
          <Spin size="small" />
        ) : (
          t("palette.nothing", { q: asked })
        )
      }
      onSelect={(id) => {
        setQ("");
        props.choose([...props.chosen, id]);
      }}
    />
  );
}
