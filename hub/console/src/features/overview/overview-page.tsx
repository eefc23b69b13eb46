// The whole estate at a glance: counts, what needs somebody, the gateways, what happened last.
import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { devicesQuery, eventsQuery, gatewaysQuery, sitesQuery } from "../../api/queries";
import type { Device, Gateway, GatewayEvent } from "../../api/types";
import { formatNumber, NO_VALUE } from "../../format/value";
import { lookup, useI18n } from "../../i18n/i18n";
import { useNow } from "../../live/now";
import { LinkButton } from "../../parts/link-button";
import { Age, EventText, GatewayMark } from "../../parts/marks";
import { Fault } from "../../parts/fault";
import { factsIn } from "../../parts/event-detail";
import { saidKey } from "../../parts/gateway-words";
import { countDevices } from "../../parts/reach";
import { QueryState, type Asked } from "../../parts/state";
import { Mark, type Tone } from "../../ui/mark";
import { EmptyPlace, PageHead, Panel, Stat } from "../../ui/page";
import { matters, type Matter } from "./attention";

const EVENTS_SHOWN = 12;
const GATEWAYS_ASKED = 20;

export function OverviewPage() {
  const { t } = useI18n();
  const gateways = useQuery(gatewaysQuery);
  const devices = useQuery(devicesQuery);
  return (
    <>
      <PageHead title={t("nav.overview")} sub={t("overview.sub")} />
      <QueryState
        query={gateways}
        isEmpty={(list) => list.length === 0}
        empty={
          <Panel>
            <EmptyPlace
              title={t("overview.empty.title")}
              text={t("overview.empty.text")}
              act={
                <LinkButton to="/gateways" search={{ enrol: "1" }} type="primary">
                  {t("gateway.enrol")}
                </LinkButton>
              }
            />
          </Panel>
        }
      >
        {(list) => <Ready gateways={list} devices={devices} fault={gateways.error ?? devices.error} />}
      </QueryState>
    </>
  );
}

function Ready(props: { gateways: Gateway[]; devices: Asked<Device[]>; fault: unknown }) {
  const { gateways, devices } = props;
  const { t } = useI18n();
  const minute = Math.floor(useNow() / 60_000) * 60_000;
  const sites = useQuery(sitesQuery).data;
  const counts = devices.data && countDevices(devices.data, gateways);
  const enrolled = gateways.filter((g) => g.state === "online" || g.state === "offline");
  const online = gateways.filter((g) => g.state === "online").length;
  const points = gateways.reduce((sum, g) => sum + g.counts.points, 0);
  const open = devices.data && matters(gateways, devices.data, minute);
  return (
    <>
      <div className="st-stats">
        <Link to="/gateways" className="st-stat">
          <Stat
            label={t("overview.gateways")}
            value={online}
            of={t("overview.of.online", { n: enrolled.length })}
            {...(online < enrolled.length ? { tone: "bad" } : {})}
          />
        </Link>
        <Link to="/devices" className="st-stat">
          <Stat
            label={t("overview.devices")}
            value={counts ? counts.answering : NO_VALUE}
            {...(counts ? { of: t("overview.of.answering", { n: counts.inUse }) } : {})}
            {...(counts && counts.unknown > 0 ? { note: t("overview.unknown", { n: counts.unknown }) } : {})}
          />
        </Link>
        <Link to="/devices" search={{ only: "silent" }} className="st-stat">
          <Stat
            label={t("overview.silent")}
            value={counts ? counts.silent : NO_VALUE}
            {...(counts && counts.silent > 0 ? { tone: "warn" } : {})}
          />
        </Link>
        <div className="st-stat">
          <Stat label={t("overview.points")} value={formatNumber(points, 0)} />
        </div>
        <Link to="/sites" className="st-stat">
          <Stat
            label={t("overview.sites")}
            value={sites ? sites.filter((s) => s.kind === "building").length : NO_VALUE}
            {...(sites ? { of: t("overview.of.buildings", { n: sites.length }) } : {})}
          />
        </Link>
      </div>
      <div className="st-grid st-wide-narrow">
        <div className="st-grid">
          <Panel
            title={t("overview.attention")}
            side={<span className="st-quiet">{open?.length || null}</span>}
          >
            <QueryState query={devices} lines={2}>
              {() => <Attention matters={open ?? []} fault={props.fault} />}
            </QueryState>
          </Panel>
          <Panel title={t("nav.gateways")} side={<Link to="/gateways">{t("act.all")}</Link>}>
            <ul className="st-list">
              {gateways.slice(0, 10).map((g) => (
                <li key={g.id}>
                  <span className="st-list-main">
                    <Link to="/gateways/$id" params={{ id: g.id }}>
                      {g.name}
                    </Link>
                    <div className="st-quiet st-small">
                      {t("gateway.counts", { devices: g.counts.devices, points: g.counts.points })}
                    </div>
                  </span>
                  <span className="st-list-side">
                    <GatewayMark state={g.state} />
                    <div>
                      <Age at={g.last_seen} />
                    </div>
                  </span>
                </li>
              ))}
            </ul>
          </Panel>
        </div>
        <Panel title={t("overview.events")}>
          <Events gateways={gateways} devices={devices.data ?? []} />
        </Panel>
      </div>
    </>
  );
}

const TONE: Record<Matter["kind"], Tone> = {
  gateway_offline: "bad",
  line_down: "bad",
  disk_failing: "bad",
  disk_full: "bad",
  data_dropped: "bad",
  device_silent: "warn",
  line_trouble: "warn",
  certificate_ends: "warn",
};

/** `fault`: what is shown is of before, for the hub did not answer since. */
function Attention({ matters: open, fault }: { matters: Matter[]; fault: unknown }) {
  const { t, name, language } = useI18n();
  const said = (m: Matter): string => {
    if (m.kind === "line_down") return t("said.line");
    return m.words ? t(saidKey(m.words)) : "";
  };
  const troubles = (m: Matter) =>
    (m.troubles ?? []).map((what) => lookup(language, `trouble.${what}`) ?? t("health.trouble.other"));
  if (open.length === 0) {
    return (
      <div className="st-panel-body">
        {fault ? <Fault error={fault} /> : <Mark tone="good">{t("overview.attention.none")}</Mark>}
      </div>
    );
  }
  return (
    <ul className="st-list st-attention">
      {open.map((m) => (
        <li key={m.id}>
          <Mark tone={TONE[m.kind]} />
          <span className="st-list-main">
            {m.device ? (
              <Link to="/devices/$id" params={{ id: m.device.id }}>
                {name(m.device.title)}
              </Link>
            ) : (
              <Link to="/gateways/$id" params={{ id: m.gateway.id }}>
                {m.line ? `${m.gateway.name} · ${m.line}` : m.gateway.name}
              </Link>
            )}{" "}
            {t(`matter.${m.kind}`)}
            <div className={`st-quiet st-small ${m.troubles ? "" : "st-ellipsis"}`} title={m.words}>
              {[m.device ? m.gateway.name : "", m.device?.place ?? "", said(m), ...troubles(m)]
                .filter(Boolean)
                .join(" · ")}
            </div>
          </span>
          <span className="st-list-side">{m.since && <Age at={m.since} />}</span>
        </li>
      ))}
    </ul>
  );
}

function Events({ gateways, devices }: { gateways: Gateway[]; devices: Device[] }) {
  const i18n = useI18n();
  const { t, name } = i18n;
  const asked = gateways.filter((g) => g.state !== "pending").slice(0, GATEWAYS_ASKED);
  const answers = useQueries({ queries: asked.map((g) => eventsQuery(g.id, EVENTS_SHOWN)) });
  const all: { gateway: Gateway; event: GatewayEvent }[] = [];
  asked.forEach((gateway, i) => {
    for (const event of answers[i]?.data?.items ?? []) all.push({ gateway, event });
  });
  all.sort((a, b) => Date.parse(b.event.at) - Date.parse(a.event.at));
  const waiting = answers.some((a) => a.isPending);
  if (all.length === 0) {
    return (
      <div className="st-panel-body st-quiet">{waiting ? t("state.loading") : t("overview.events.none")}</div>
    );
  }
  return (
    <ul className="st-list">
      {all.slice(0, EVENTS_SHOWN).map(({ gateway, event }) => {
        const device = devices.find((d) => d.gateway === gateway.id && d.key === event.device);
        const about = device ? name(device.title) : (event.device ?? event.line);
        const facts = factsIn(event, i18n);
        return (
          <li key={event.id}>
            <span className="st-list-main">
              <div>
                {about && <strong>{about} </strong>}
                <EventText kind={event.kind} active={event.active} />
              </div>
              {facts && <div className="st-small">{facts}</div>}
              <div className="st-quiet st-small st-ellipsis">
                <Link to="/gateways/$id" params={{ id: gateway.id }}>
                  {gateway.name}
                </Link>
              </div>
            </span>
            <span className="st-list-side">
              <Age at={event.at} />
            </span>
          </li>
        );
      })}
    </ul>
  );
}
