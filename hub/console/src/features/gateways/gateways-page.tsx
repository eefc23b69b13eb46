// All gateways and how they fare; the place where a new one is enrolled.
import { PlusOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";

import { gatewaysQuery, sitesQuery } from "../../api/queries";
import type { Gateway } from "../../api/types";
import { formatNumber } from "../../format/value";
import { useI18n } from "../../i18n/i18n";
import { Guarded } from "../../parts/guarded";
import { Age, GatewayMark } from "../../parts/marks";
import { useSession } from "../../parts/session";
import { QueryState } from "../../parts/state";
import { EmptyPlace, PageHead, Panel } from "../../ui/page";
import { Rows } from "../../ui/rows";
import * as can from "./can";
import { EnrolDialog } from "./enrol-dialog";
import { CertificateEnd } from "./health-parts";
import { sitePath } from "./site-paths";

export function GatewaysPage() {
  const { t, collator } = useI18n();
  const session = useSession();
  const gateways = useQuery(gatewaysQuery);
  const sites = useQuery(sitesQuery).data ?? [];
  const search = useSearch({ strict: false }) as { enrol?: string };
  const navigate = useNavigate();
  const open = search.enrol !== undefined;
  const show = (enrol: boolean) =>
    void navigate({ to: "/gateways", search: enrol ? { enrol: "1" } : {}, replace: !enrol });
  const enrol = (
    <Guarded may={can.enrol(session)} type="primary" icon={<PlusOutlined />} onClick={() => show(true)}>
      {t("gateway.enrol")}
    </Guarded>
  );
  return (
    <>
      <PageHead title={t("nav.gateways")} sub={t("gateway.sub")} acts={enrol} />
      <Panel>
        <QueryState
          query={gateways}
          isEmpty={(list) => list.length === 0}
          empty={<EmptyPlace title={t("overview.empty.title")} text={t("overview.empty.text")} act={enrol} />}
        >
          {(list) => (
            <Rows<Gateway>
              label={t("nav.gateways")}
              items={list}
              rowKey={(g) => g.id}
              columns={[
                {
                  key: "name",
                  title: t("gateway.name"),
                  card: "head",
                  compare: (a, b) => collator.compare(a.name, b.name),
                  render: (g) => (
                    <Link to="/gateways/$id" params={{ id: g.id }} className="st-wrap">
                      {g.name}
                    </Link>
                  ),
                },
                {
                  key: "state",
                  title: t("gateway.state"),
                  card: "side",
                  compare: (a, b) => a.state.localeCompare(b.state),
                  render: (g) => <GatewayMark state={g.state} />,
                },
                {
                  key: "site",
                  title: t("gateway.site"),
                  render: (g) => <span className="st-wrap">{sitePath(sites, g.site)}</span>,
                },
                {
                  key: "devices",
                  title: t("gateway.devices"),
                  align: "right",
                  compare: (a, b) => a.counts.devices - b.counts.devices,
                  render: (g) => <span className="st-num">{formatNumber(g.counts.devices, 0)}</span>,
                },
                {
                  key: "points",
                  title: t("gateway.points"),
                  align: "right",
                  compare: (a, b) => a.counts.points - b.counts.points,
                  render: (g) => <span className="st-num">{formatNumber(g.counts.points, 0)}</span>,
                },
                {
                  key: "unacked",
                  title: t("gateway.unacked"),
                  align: "right",
                  compare: (a, b) => (a.health?.unacked ?? 0) - (b.health?.unacked ?? 0),
                  render: (g) =>
                    g.health && <span className="st-num">{formatNumber(g.health.unacked, 0)}</span>,
                },
                {
                  key: "seen",
                  title: t("gateway.seen"),
                  compare: (a, b) => (a.last_seen ?? "").localeCompare(b.last_seen ?? ""),
                  render: (g) => <Age at={g.last_seen} />,
                },
                {
                  key: "certificate",
                  title: t("gateway.certificate"),
                  render: (g) => <CertificateEnd at={g.certificate_expires} />,
                },
                {
                  key: "version",
                  title: t("gateway.program"),
                  render: (g) => g.program && <span className="st-mono">{g.program}</span>,
                },
              ]}
            />
          )}
        </QueryState>
      </Panel>
      <EnrolDialog open={open} close={() => show(false)} />
    </>
  );
}
