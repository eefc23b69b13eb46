// One device: every point's value as it comes, how far it may be trusted, and its last hour.
import { LineChartOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { Alert, Button, Checkbox, Input } from "antd";
import { useMemo, useState } from "react";

import { deviceQuery, gatewaysQuery, pointsQuery } from "../../api/queries";
import type { Device, Point } from "../../api/types";
import { matches } from "../../format/match";
import { isDrawable, isStepped } from "../../format/value";
import { useI18n } from "../../i18n/i18n";
import { useWatch } from "../../live/live";
import { Guarded } from "../../parts/guarded";
import { LinkButton } from "../../parts/link-button";
import { Age, DeviceMark, LiveValueText, QualityMark } from "../../parts/marks";
import { isAway } from "../../parts/reach";
import { mayCommand, useSession } from "../../parts/session";
import { QueryState } from "../../parts/state";
import { WriteDialog } from "../../parts/write-dialog";
import { EmptyPlace, PageHead, Panel } from "../../ui/page";
import { Rows, type Column } from "../../ui/rows";
import { Sparkline } from "../../ui/sparkline";
import { valuesOf } from "./chart-data";
import { useTree } from "./explore";
import { useLastHour } from "./series-query";
import { pathTo } from "./tree-nodes";

/** A month of lines over each other is no comparison. */
const COMPARE_MOST = 8;

export function DevicePage() {
  const { id } = useParams({ from: "/inside/explore/devices/$id" });
  const device = useQuery(deviceQuery(id));
  return <QueryState query={device}>{(d) => <Ready key={d.id} device={d} />}</QueryState>;
}

function Ready({ device }: { device: Device }) {
  const { t, name } = useI18n();
  const { q } = useSearch({ from: "/inside/explore" });
  const points = useQuery(pointsQuery(device.id));
  const gateway = useQuery(gatewaysQuery).data?.find((g) => g.id === device.gateway);
  const path = pathTo(useTree(), `device:${device.id}`).slice(0, -1);
  const [chosen, setChosen] = useState<number[]>([]);
  return (
    <>
      <PageHead
        crumbs={
          <>
            <Link to="/devices" search={q ? { q } : {}}>
              {t("tree.all")}
            </Link>
            {path.map((n) => (
              <span key={n.key}>
                {"/ "}
                <Link to="/devices" search={{ node: n.key }}>
                  {n.text}
                </Link>
              </span>
            ))}
          </>
        }
        tab={name(device.title) || device.key}
        title={
          <>
            {name(device.title) || device.key}
            <span className="st-title-mark">
              <DeviceMark device={device} gateway={gateway} />
            </span>
          </>
        }
        sub={
          <>
            {[`${device.vendor} ${device.model}`.trim(), device.place].filter(Boolean).join(" · ")}
            {" · "}
            <span className="st-mono">
              {device.line} #{device.address}
            </span>
          </>
        }
        acts={
          <>
            <LinkButton to="/commands" search={{ device: device.id }}>
              {t("nav.commands")}
            </LinkButton>
            {chosen.length === 0 ? (
              <Button type="primary" icon={<LineChartOutlined />} disabled>
                {t("device.compare.none")}
              </Button>
            ) : (
              <LinkButton
                to="/chart"
                search={{ points: chosen.join(",") }}
                type="primary"
                icon={<LineChartOutlined />}
              >
                {t("device.compare", { n: chosen.length })}
              </LinkButton>
            )}
          </>
        }
      />
      {gateway && isAway(gateway) && (
        <Alert
          className="st-gap"
          type="warning"
          showIcon
          title={
            gateway.state === "revoked"
              ? t("device.gateway.revoked", { name: gateway.name })
              : t("device.gateway.offline", { name: gateway.name })
          }
        />
      )}
      {!device.in_use && <Alert className="st-gap" type="info" showIcon title={t("device.unused")} />}
      <Panel>
        <QueryState
          query={points}
          lines={8}
          isEmpty={(list) => list.length === 0}
          empty={<EmptyPlace title={t("device.empty.title")} text={t("device.empty.text")} />}
        >
          {(list) => (
            <Points device={device} points={list} away={isAway(gateway)} chosen={chosen} choose={setChosen} />
          )}
        </QueryState>
      </Panel>
    </>
  );
}

function Points(props: {
  device: Device;
  points: Point[];
  away: boolean;
  chosen: number[];
  choose: (ids: number[]) => void;
}) {
  const { t, name } = useI18n();
  const [words, setWords] = useState("");
  const session = useSession();
  const [writing, setWriting] = useState<Point>();
  const inUse = props.points.filter((p) => p.in_use);
  const shown = words ? inUse.filter((p) => matches(words, p.title.zh, p.title.en, p.key)) : inUse;
  const ids = useMemo(() => inUse.map((p) => p.id).join(), [inUse]);
  useWatch(useMemo(() => (ids ? ids.split(",").map(Number) : []), [ids]));

  const lines = inUse
    .filter((p) => isDrawable(p.kind) && !isStepped(p.kind) && p.kind !== "counter")
    .map((p) => p.id);
  const hours = useLastHour(lines);
  const spark = (point: Point) => {
    const hour = hours.get(point.id);
    const values = hour && (hour.one.mean ?? valuesOf(hour.one));
    if (!values) return null;
    const { from, to, one } = hour;
    const label = t("device.hour", { name: name(point.title) });
    return <Sparkline t={one.t} values={values} from={from} to={to} label={label} />;
  };
  const toggle = (id: number, on: boolean) =>
    props.choose(on ? [...props.chosen, id] : props.chosen.filter((each) => each !== id));
  const box = (point: Point) => (
    <Checkbox
      aria-label={t("device.choose", { name: name(point.title) })}
      checked={props.chosen.includes(point.id)}
      disabled={
        !isDrawable(point.kind) || (props.chosen.length >= COMPARE_MOST && !props.chosen.includes(point.id))
      }
      onChange={(event) => toggle(point.id, event.target.checked)}
    />
  );
  const write: Column<Point> = {
    key: "write",
    title: "",
    card: "row",
    render: (p) =>
      p.write && (
        <Guarded
          may={mayCommand(session)}
          size="small"
          aria-label={t("write.act.of", { name: name(p.title) || p.key })}
          onClick={() => setWriting(p)}
        >
          {t("write.act")}
        </Guarded>
      ),
  };
  return (
    <>
      {inUse.length > 12 && (
        <div className="st-tree-search">
          <Input
            allowClear
            placeholder={t("device.filter")}
            aria-label={t("device.filter")}
            value={words}
            onChange={(event) => setWords(event.target.value)}
            style={{ maxWidth: 320 }}
          />
        </div>
      )}
      <Rows<Point>
        label={t("device.points")}
        items={shown}
        rowKey={(p) => p.id}
        columns={[
          { key: "box", title: "", width: 44, card: "head", render: box },
          {
            key: "name",
            title: t("kind.point"),
            card: "head",
            render: (p) =>
              isDrawable(p.kind) ? (
                <Link to="/chart" search={{ points: String(p.id) }}>
                  {name(p.title) || p.key}
                </Link>
              ) : (
                name(p.title) || p.key
              ),
          },
          {
            key: "value",
            title: t("point.value"),
            card: "side",
            align: "right",
            width: 170,
            render: (p) => <LiveValueText point={p} away={props.away} />,
          },
          ...(inUse.some((p) => p.write) ? [write] : []),
          {
            key: "quality",
            title: t("point.quality"),
            card: "line",
            width: 120,
            render: (p) => <QualityMark point={p} away={props.away} />,
          },
          {
            key: "age",
            title: t("point.age"),
            card: "line",
            width: 130,
            render: (p) => <Age at={p.latest?.at} />,
          },
          {
            key: "hour",
            title: t("point.hour"),
            width: 120,
            card: "none",
            render: (p) =>
              p.kind === "counter" ? <span className="st-quiet">{t("point.counter")}</span> : spark(p),
          },
        ]}
      />
      {writing && (
        <WriteDialog
          key={writing.id}
          point={writing}
          device={name(props.device.title) || props.device.key}
          close={() => setWriting(undefined)}
        />
      )}
    </>
  );
}
