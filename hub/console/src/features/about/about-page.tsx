// What runs here, since when, and where its interface is described.
import { useMutation, useQuery } from "@tanstack/react-query";
import { Alert, Button } from "antd";

import { api, take } from "../../api/client";
import { aboutQuery } from "../../api/queries";
import { duration, instant } from "../../format/time";
import { useI18n } from "../../i18n/i18n";
import { useNow } from "../../live/now";
import { Fault } from "../../parts/fault";
import { Guarded } from "../../parts/guarded";
import { atLeast, useSession } from "../../parts/session";
import { QueryState } from "../../parts/state";
import { Facts, PageHead, Panel } from "../../ui/page";

export function AboutPage() {
  const { t } = useI18n();
  const about = useQuery(aboutQuery);
  const now = useNow();
  return (
    <>
      <PageHead title={t("nav.about")} sub={t("about.sub")} />
      <div className="st-grid st-two">
        <Panel title={t("about.hub")} padded>
          <QueryState query={about} lines={3}>
            {(a) => (
              <Facts
                rows={[
                  [t("about.version"), <span className="st-mono">{a.version}</span>],
                  [t("about.database"), a.database],
                  [t("about.started"), instant(a.started_at)],
                  [t("about.uptime"), duration(now - Date.parse(a.started_at), t)],
                  [t("about.licence"), "Apache-2.0"],
                ]}
              />
            )}
          </QueryState>
        </Panel>
        <div className="st-grid">
          <Panel title={t("about.api")} padded>
            <p className="st-quiet">{t("about.api.text")}</p>
            <Button href="/api/docs" target="_blank" rel="noreferrer">
              {t("about.api.open")}
            </Button>
          </Panel>
          <Panel title={t("about.audit")} padded>
            <AuditCheck />
          </Panel>
        </div>
      </div>
    </>
  );
}

function AuditCheck() {
  const { t } = useI18n();
  const may = atLeast(useSession(), "admin");
  const check = useMutation({ mutationFn: () => take(api.GET("/api/v1/audit/verify")) });
  return (
    <div className="st-grid">
      <p className="st-quiet" style={{ margin: 0 }}>
        {t("about.audit.text")}
      </p>
      <div>
        <Guarded may={may} loading={check.isPending} onClick={() => check.mutate()}>
          {t("about.audit.check")}
        </Guarded>
      </div>
      {check.isError && <Fault error={check.error} />}
      {check.data &&
        (check.data.whole ? (
          <Alert type="success" showIcon title={t("about.audit.whole", { n: check.data.rows })} />
        ) : (
          <Alert
            type="error"
            showIcon
            title={t("about.audit.broken")}
            description={t("about.audit.broken.at", { n: check.data.broken_at ?? 0 })}
          />
        ))}
    </div>
  );
}
