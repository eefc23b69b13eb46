// How a gateway fares, part by part: its figures, its lines, its devices.
import { Progress } from "antd";
import { Link } from "@tanstack/react-router";

import type { Device, Gateway, GatewayHealth } from "../../api/types";
import { duration, minute } from "../../format/time";
import { formatBytes, formatNumber, NO_VALUE } from "../../format/value";
import { fill, lookup, useI18n } from "../../i18n/i18n";
import { useNow } from "../../live/now";
import { GatewayWords } from "../../parts/gateway-words";
import { Age, DeviceMark } from "../../parts/marks";
import { isAway } from "../../parts/reach";
import { Mark } from "../../ui/mark";
import { Stat } from "../../ui/page";
import { Rows } from "../../ui/rows";
import "./gateways.css";

const DAY = 86_400_000;
const CERTIFICATE_SOON_DAYS = 5;
const DISK_SCARCE = 0.1;
const LINE_BUSY = 0.85;
/** Less leaves no room for retries and silent devices: the gateway's `check` and `sheet` judge by the same. */
const HEADROOM_SCARCE = 0.2;

export function CertificateEnd({ at }: { at: string | null | undefined }) {
  const { t } = useI18n();
  const now = useNow();
  if (!at) return <span className="st-quiet">{NO_VALUE}</span>;
  const left = Date.parse(at) - now;
  const days = Math.floor(left / DAY);
  const text = left <= 0 ? t("certificate.ended") : t("certificate.left", { age: duration(left, t) });
  return (
    <span title={minute(at)}>
      {days < CERTIFICATE_SOON_DAYS ? <Mark tone={left <= 0 ? "bad" : "warn"}>{text}</Mark> : text}
    </span>
  );
}

const diskTrouble: Record<string, "health.disk.failing" | "health.disk.full"> = {
  failing: "health.disk.failing",
  full: "health.disk.full",
};

export function HealthFigures({ gateway, health }: { gateway: Gateway; health: GatewayHealth }) {
  const { t } = useI18n();
  const now = useNow();
  const used = health.disk_total_bytes > 0 ? 1 - health.disk_free_bytes / health.disk_total_bytes : 0;
  const scarce = 1 - used < DISK_SCARCE;
  const trouble = diskTrouble[health.storage ?? ""];
  return (
    <div className="st-stats">
      <div className="st-stat">
        <Stat
          label={t("health.unacked")}
          value={formatNumber(health.unacked, 0)}
          note={
            health.oldest_unacked
              ? t("health.oldest", { age: duration(now - Date.parse(health.oldest_unacked), t) })
              : t("health.unacked.none")
          }
        />
      </div>
      <div className="st-stat">
        <Stat
          label={t("health.buffer")}
          value={formatBytes(health.buffer_bytes)}
          note={
            health.dropped > 0 ? (
              <span className="st-tone-bad">
                {t("health.dropped", { n: formatNumber(health.dropped, 0) })}
              </span>
            ) : (
              t("health.dropped.none")
            )
          }
        />
      </div>
      <div className="st-stat">
        <Stat
          label={t("health.disk")}
          value={formatBytes(health.disk_free_bytes)}
          {...(scarce || trouble ? { tone: "bad" } : {})}
          note={
            trouble ? (
              <span className="st-tone-bad">{t(trouble)}</span>
            ) : (
              <Progress
                percent={Math.round(used * 100)}
                size="small"
                showInfo={false}
                status={scarce ? "exception" : "normal"}
                aria-label={t("health.disk.used", { n: Math.round(used * 100) })}
              />
            )
          }
        />
      </div>
      <div className="st-stat">
        <Stat
          label={t("health.cpu")}
          value={`${formatNumber(health.cpu * 100, 1)}%`}
          note={t("health.memory", { bytes: formatBytes(health.rss_bytes) })}
        />
      </div>
      <div className="st-stat">
        <Stat
          label={t("health.uptime")}
          value={duration(health.uptime_s * 1000, t)}
          note={gateway.program ? t("health.program", { version: gateway.program }) : undefined}
        />
      </div>
      <div className="st-stat">
        <Stat
          label={t("gateway.certificate")}
          value={<CertificateEnd at={gateway.certificate_expires ?? health.certificate_expires} />}
          note={t("health.certificate.note")}
        />
      </div>
    </div>
  );
}

const share = (errors: number, requests: number): string =>
  requests === 0 ? NO_VALUE : `${formatNumber((errors / requests) * 100, errors === 0 ? 0 : 2)}%`;

const percent = (part: number): string => `${formatNumber(part * 100, 0)}%`;

type Line = GatewayHealth["lines"][number];

/** The share of a line's time that its questions want; nothing where no time is reckoned: of networks and brokers. */
function Wanted({ line }: { line: Line }) {
  if (line.planned === 0) return <>{NO_VALUE}</>;
  const share = <span className="st-num">{percent(line.planned)}</span>;
  return line.planned > 1 ? <Mark tone="bad">{share}</Mark> : share;
}

/** What is left of a line's time beside what is wanted of it and what silent devices cost. */
function Headroom({ line }: { line: Line }) {
  const { t } = useI18n();
  if (line.planned === 0 && line.wasted === 0) return <>{NO_VALUE}</>;
  const left = 1 - line.planned - line.wasted;
  if (left < 0) return <Mark tone="bad">{t("health.headroom.none")}</Mark>;
  const share = <span className="st-num">{percent(left)}</span>;
  return left < HEADROOM_SCARCE ? <Mark tone="warn">{share}</Mark> : share;
}

export function LinesTable({ gateway, health }: { gateway: Gateway; health: GatewayHealth }) {
  const { t } = useI18n();
  return (
    <Rows
      label={t("health.lines")}
      items={health.lines}
      rowKey={(line) => line.name}
      columns={[
        {
          key: "name",
          title: t("health.line"),
          card: "head",
          render: (l) => <span className="st-mono">{l.name}</span>,
        },
        {
          key: "up",
          title: t("gateway.state"),
          card: "side",
          render: (l) =>
            isAway(gateway) ? (
              <Mark tone="off">{t("device.state.unknown")}</Mark>
            ) : (
              <Mark tone={l.up ? "good" : "bad"}>{l.up ? t("health.line.up") : t("health.line.down")}</Mark>
            ),
        },
        {
          key: "busy",
          title: t("health.busy"),
          width: 180,
          render: (l) => (
            <span className="st-busy">
              <Progress
                percent={Math.round(l.busy * 100)}
                size="small"
                showInfo={false}
                status={l.busy > LINE_BUSY ? "exception" : "normal"}
                aria-label={`${t("health.busy")} ${l.name}`}
              />
              <span className="st-num st-nowrap">{Math.round(l.busy * 100)}%</span>
            </span>
          ),
        },
        {
          key: "wanted",
          title: t("health.wanted"),
          align: "right",
          render: (l) => <Wanted line={l} />,
        },
        {
          key: "headroom",
          title: t("health.headroom"),
          align: "right",
          render: (l) => <Headroom line={l} />,
        },
        {
          key: "wasted",
          title: t("health.wasted"),
          align: "right",
          render: (l) => <span className="st-num">{percent(l.wasted)}</span>,
        },
        {
          key: "requests",
          title: t("health.requests"),
          align: "right",
          render: (l) => <span className="st-num">{formatNumber(l.requests, 0)}</span>,
        },
        {
          key: "errors",
          title: t("health.errors"),
          align: "right",
          render: (l) => (
            <span className="st-num">
              {formatNumber(l.errors, 0)} ({share(l.errors, l.requests)})
            </span>
          ),
        },
        {
          key: "last",
          title: t("health.last_error"),
          render: (l) => <GatewayWords words={l.last_error} down={!l.up} />,
        },
      ]}
    />
  );
}

/** What is wrong with the wires, as far as the bytes on them tell; nothing where nothing is. */
export function Troubles({ health, devices }: { health: GatewayHealth; devices: Device[] }) {
  const { t, name, language } = useI18n();
  const countOf = ({ what, ...counts }: Line["troubles"][number]) => {
    const slots = { count: formatNumber(counts.count, 0), of: formatNumber(counts.of, 0) };
    const text = lookup(language, `trouble.count.${what}`);
    return text ? fill(text, slots) : t("health.trouble.count", slots);
  };
  const all = health.lines.flatMap((line) =>
    line.troubles.map((trouble) => ({ ...trouble, line: line.name })),
  );
  if (all.length === 0) {
    return null;
  }
  return (
    <ul className="st-list st-troubles" aria-label={t("health.troubles")}>
      {all.map((trouble) => {
        const device = devices.find((each) => each.key === trouble.device);
        const about = device ? name(device.title) : (trouble.device ?? trouble.line);
        // A gateway of a later version may tell what this page has no words for.
        const words = lookup(language, `trouble.${trouble.what}`) ?? t("health.trouble.other");
        return (
          <li key={`${trouble.line} ${trouble.device ?? ""} ${trouble.what}`}>
            <span className="st-list-main">
              <strong>{about} </strong>
              {words}
              {trouble.points.length > 0 && <LatePoints trouble={trouble} devices={devices} />}
            </span>
            <span className="st-list-side st-num">{countOf(trouble)}</span>
          </li>
        );
      })}
    </ul>
  );
}

/** Which points would be late, by the names of their devices, and what would do. */
function LatePoints({ trouble, devices }: { trouble: Line["troubles"][number]; devices: Device[] }) {
  const { t, name } = useI18n();
  const byDevice = new Map<string, string[]>();
  for (const point of trouble.points) {
    const end = point.indexOf("/");
    const keys = byDevice.get(point.slice(0, end)) ?? [];
    byDevice.set(point.slice(0, end), [...keys, point.slice(end + 1)]);
  }
  const comma = t("health.trouble.comma");
  const named = [...byDevice].map(([key, points]) => {
    const device = devices.find((each) => each.key === key);
    return t("health.trouble.of_device", {
      device: device ? name(device.title) : key,
      points: points.join(comma),
    });
  });
  const more = trouble.count > trouble.points.length ? t("health.trouble.more") : "";
  return (
    <>
      {t("health.trouble.points", { points: named.join(comma), more })}
      {trouble.baud === null
        ? t("health.trouble.slower")
        : t("health.trouble.baud", { baud: String(trouble.baud) })}
    </>
  );
}

export function DevicesTable(props: { gateway: Gateway; health: GatewayHealth; devices: Device[] }) {
  const { gateway, health, devices } = props;
  const { t, name } = useI18n();
  const items = health.devices.map((d) => ({ ...d, device: devices.find((each) => each.key === d.key) }));
  return (
    <Rows
      label={t("health.devices")}
      items={items}
      rowKey={(d) => d.key}
      columns={[
        {
          key: "name",
          title: t("kind.device"),
          card: "head",
          render: (d) =>
            d.device ? (
              <Link to="/devices/$id" params={{ id: d.device.id }} className="st-wrap">
                {name(d.device.title)}
              </Link>
            ) : (
              <span className="st-mono">{d.key}</span>
            ),
        },
        {
          key: "state",
          title: t("gateway.state"),
          card: "side",
          compare: (a, b) => Number(b.silent) - Number(a.silent),
          render: (d) => (
            <DeviceMark
              device={{ silent: d.silent, in_use: d.device?.in_use ?? true, line: d.device?.line ?? "" }}
              gateway={gateway}
            />
          ),
        },
        {
          key: "line",
          title: t("health.line"),
          render: (d) => <span className="st-mono">{d.device?.line}</span>,
        },
        {
          key: "turnaround",
          title: t("health.turnaround"),
          align: "right",
          compare: (a, b) => (a.turnaround_ms ?? 0) - (b.turnaround_ms ?? 0),
          render: (d) => (
            <span className="st-num">
              {d.turnaround_ms == null ? NO_VALUE : `${formatNumber(d.turnaround_ms, 1)} ms`}
            </span>
          ),
        },
        {
          key: "errors",
          title: t("health.errors"),
          align: "right",
          compare: (a, b) => a.errors - b.errors,
          render: (d) => (
            <span className="st-num">
              {formatNumber(d.errors, 0)} ({share(d.errors, d.requests)})
            </span>
          ),
        },
        { key: "good", title: t("health.last_good"), render: (d) => <Age at={d.last_good} /> },
        {
          key: "last",
          title: t("health.last_error"),
          render: (d) => d.last_error && <GatewayWords words={d.last_error} />,
        },
      ]}
    />
  );
}
