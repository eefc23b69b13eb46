// One gateway: whether it is there, how it fares, what it told, and what can be done to it.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { Alert, Button } from "antd";

import { devicesQuery, eventPagesQuery, gatewayQuery, sitesQuery } from "../../api/queries";
import type { Device, Gateway } from "../../api/types";
import { instant } from "../../format/time";
import { useI18n } from "../../i18n/i18n";
import { EventDetail } from "../../parts/event-detail";
import { LinkButton } from "../../parts/link-button";
import { Age, EventText, GatewayMark } from "../../parts/marks";
import { QueryState } from "../../parts/state";
import { EmptyPlace, PageHead, Panel } from "../../ui/page";
import { ConfigurationPanel } from "./configuration";
import { GatewayActs } from "./gateway-menu";
import { DevicesTable, HealthFigures, LinesTable, Troubles } from "./health-parts";
import { SetAsidePanel } from "./set-aside";
import { sitePath } from "./site-paths";

export function GatewayPage() {
  const { id } = useParams({ from: "/inside/gateways/$id" });
  const gateway = useQuery(gatewayQuery(id));
  return <QueryState query={gateway}>{(g) => <Ready gateway={g} />}</QueryState>;
}

function Ready({ gateway }: { gateway: Gateway }) {
  const { t } = useI18n();
  const sites = useQuery(sitesQuery).data ?? [];
  const devices = (useQuery(devicesQuery).data ?? []).filter((d) => d.gateway === gateway.id);
  const { health } = gateway;
  const road = gateway.road === "quic" || gateway.road === "tcp" ? gateway.road : undefined;
  return (
    <>
      <PageHead
        crumbs={<Link to="/gateways">{t("nav.gateways")}</Link>}
        tab={gateway.name}
        title={
          <>
            {gateway.name} <span className="st-title-mark">{<GatewayMark state={gateway.state} />}</span>
          </>
        }
        sub={
          <>
            {[sitePath(sites, gateway.site), gateway.address, road && t(`gateway.road.${road}`)]
              .filter(Boolean)
              .join(" · ")}
            {gateway.last_seen && (
              <>
                {" · "}
                {t("gateway.seen")} <Age at={gateway.last_seen} />
              </>
            )}
            {gateway.enrolled_at && (
              <>
                {" · "}
                <span className="st-nowrap">
                  {t("gateway.enrolled", { at: instant(gateway.enrolled_at) })}
                </span>
              </>
            )}
          </>
        }
        acts={
          <>
            <LinkButton to="/commands" search={{ gateway: gateway.id }}>
              {t("nav.commands")}
            </LinkButton>
            <GatewayActs gateway={gateway} />
          </>
        }
      />
      {gateway.state === "offline" && (
        <Alert
          className="st-gap"
          type="warning"
          showIcon
          title={t("gateway.offline.title")}
          description={t("gateway.offline.text")}
        />
      )}
      {gateway.blocked_port != null && (
        <Alert
          className="st-gap"
          type="info"
          showIcon
          title={t("gateway.tcp.title")}
          description={t("gateway.tcp.text", { port: String(gateway.blocked_port) })}
        />
      )}
      {gateway.state === "revoked" && (
        <Alert
          className="st-gap"
          type="error"
          showIcon
          title={t("gateway.revoked.title")}
          description={t("gateway.revoked.text")}
        />
      )}
      <div className="st-grid">
        {health ? (
          <>
            <HealthFigures gateway={gateway} health={health} />
            <Panel title={t("health.lines")}>
              {health.lines.length > 0 ? (
                <LinesTable gateway={gateway} health={health} />
              ) : (
                <EmptyPlace title={t("health.nolines.title")} text={t("health.nolines.text")} />
              )}
              <Troubles health={health} devices={devices} />
            </Panel>
            {health.devices.length > 0 && (
              <Panel
                title={t("health.devices")}
                side={
                  <Link to="/devices" search={{ node: `gateway:${gateway.id}` }}>
                    {t("gateway.values")}
                  </Link>
                }
              >
                <DevicesTable gateway={gateway} health={health} devices={devices} />
              </Panel>
            )}
          </>
        ) : (
          <Panel>
            <EmptyPlace
              title={t(gateway.state === "pending" ? "gateway.pending.title" : "gateway.nohealth.title")}
              text={t(gateway.state === "pending" ? "gateway.pending.text" : "gateway.nohealth.text")}
            />
          </Panel>
        )}
        <ConfigurationPanel gateway={gateway} />
        <SetAsidePanel gateway={gateway} />
        <Panel title={t("gateway.events")}>
          <Events gateway={gateway} devices={devices} />
        </Panel>
      </div>
    </>
  );
}

function Events({ gateway, devices }: { gateway: Gateway; devices: Device[] }) {
  const { t, name } = useI18n();
  const events = useInfiniteQuery(eventPagesQuery(gateway.id));
  return (
    <QueryState
      query={events}
      isEmpty={({ pages }) => pages.every((page) => page.items.length === 0)}
      empty={<div className="st-panel-body st-quiet">{t("overview.events.none")}</div>}
    >
      {({ pages }) => (
        <>
          <ul className="st-list">
            {pages
              .flatMap((page) => page.items)
              .map((event) => {
                const device = devices.find((d) => d.key === event.device);
                const about = device ? name(device.title) : (event.device ?? event.line);
                return (
                  <li key={event.id}>
                    <span className="st-list-main">
                      {about && <strong>{about} </strong>}
                      <EventText kind={event.kind} active={event.active} />
                      <EventDetail event={event} />
                    </span>
                    <span className="st-list-side">
                      <div className="st-num">{instant(event.at)}</div>
                      <Age at={event.at} />
                    </span>
                  </li>
                );
              })}
          </ul>
          {events.hasNextPage && (
            <div className="st-more">
              <Button loading={events.isFetchingNextPage} onClick={() => void events.fetchNextPage()}>
                {t("gateway.events.more")}
              </Button>
            </div>
          )}
        </>
      )}
    </QueryState>
  );
}
