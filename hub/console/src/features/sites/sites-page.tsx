// Campus, building, floor, room: added, renamed, removed.
import { DeleteOutlined, EditOutlined, PlusOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { App, Button, Popconfirm } from "antd";
import { useState } from "react";

import { gatewaysQuery, sitesQuery } from "../../api/queries";
import type { Site } from "../../api/types";
import { useI18n } from "../../i18n/i18n";
import { faultText } from "../../parts/fault";
import { Guarded } from "../../parts/guarded";
import { useSession } from "../../parts/session";
import { QueryState } from "../../parts/state";
import { EmptyPlace, PageHead, Panel } from "../../ui/page";
import { Rows } from "../../ui/rows";
import * as can from "./can";
import { useAddSite, useRemoveSite } from "./site-acts";
import { SiteDialog, type SiteTask } from "./site-dialog";
import { siteRows, type SiteNode } from "./site-tree";

export function SitesPage() {
  const { t, collator } = useI18n();
  const session = useSession();
  const sites = useQuery(sitesQuery);
  const gateways = useQuery(gatewaysQuery).data ?? [];
  const [task, setTask] = useState<SiteTask>();
  const may = can.change(session);
  const add = (
    <Guarded
      may={may}
      type="primary"
      icon={<PlusOutlined />}
      onClick={() => setTask({ act: "add", parent: undefined })}
    >
      {t("site.add")}
    </Guarded>
  );
  return (
    <>
      <PageHead title={t("nav.sites")} sub={t("site.sub")} acts={add} />
      <Panel>
        <QueryState
          query={sites}
          isEmpty={(list) => list.length === 0}
          empty={<EmptyPlace title={t("site.empty.title")} text={t("site.empty.text")} act={add} />}
        >
          {(list) => (
            <Rows<SiteNode>
              label={t("nav.sites")}
              items={siteRows(list, collator)}
              rowKey={(row) => row.site.id}
              columns={[
                {
                  key: "name",
                  title: t("site.name"),
                  card: "head",
                  render: ({ site, depth }) => (
                    <span style={{ paddingInlineStart: depth * 20 }}>{site.name}</span>
                  ),
                },
                {
                  key: "kind",
                  title: t("site.kind"),
                  card: "side",
                  width: 120,
                  render: ({ site }) => <span className="st-quiet">{t(`site.kind.${site.kind}`)}</span>,
                },
                {
                  key: "code",
                  title: t("site.code"),
                  width: 120,
                  render: ({ site }) => (site.code ? <span className="st-mono">{site.code}</span> : null),
                },
                {
                  key: "gateways",
                  title: t("nav.gateways"),
                  width: 200,
                  render: ({ site }) =>
                    gateways
                      .filter((g) => g.site === site.id)
                      .map((g) => g.name)
                      .join(", "),
                },
                {
                  key: "acts",
                  title: t("act.column"),
                  width: 260,
                  render: (row) => (
                    <SiteActs
                      row={row}
                      gateways={gateways.filter((g) => g.site === row.site.id).length}
                      open={setTask}
                    />
                  ),
                },
              ]}
            />
          )}
        </QueryState>
      </Panel>
      <SiteDialog task={task} close={() => setTask(undefined)} />
    </>
  );
}

function SiteActs(props: { row: SiteNode; gateways: number; open: (task: SiteTask) => void }) {
  const i18n = useI18n();
  const { t } = i18n;
  const session = useSession();
  const { message } = App.useApp();
  const removal = useRemoveSite();
  const addition = useAddSite();
  const { site } = props.row;
  const may = can.change(session);
  const mayRemove = can.remove(session, props.row, props.gateways);

  const undo = (gone: Site) =>
    addition.mutate(
      {
        kind: gone.kind,
        name: gone.name,
        parent: gone.parent ?? null,
        ...(gone.code ? { code: gone.code } : {}),
      },
      { onError: (error) => void message.error(faultText(error, i18n)) },
    );
  const remove = () =>
    removal.mutate(site, {
      onSuccess: () => {
        const key = `gone-${site.id}`;
        void message.open({
          key,
          type: "success",
          duration: 8,
          content: (
            <>
              {t("site.removed", { name: site.name })}{" "}
              <Button
                type="link"
                size="small"
                onClick={() => {
                  message.destroy(key);
                  undo(site);
                }}
              >
                {t("act.undo")}
              </Button>
            </>
          ),
        });
      },
      onError: (error) => void message.error(faultText(error, i18n)),
    });
  const named = (act: string) => `${act}: ${site.name}`;
  return (
    <span className="st-acts">
      {site.kind !== "room" && (
        <Guarded
          may={may}
          size="small"
          type="text"
          icon={<PlusOutlined />}
          aria-label={named(t("site.add.below"))}
          onClick={() => props.open({ act: "add", parent: site })}
        >
          {t("site.add.below")}
        </Guarded>
      )}
      <Guarded
        may={may}
        size="small"
        type="text"
        icon={<EditOutlined />}
        aria-label={named(t("act.edit"))}
        onClick={() => props.open({ act: "change", site })}
      >
        {t("act.edit")}
      </Guarded>
      {mayRemove.allowed ? (
        <Popconfirm
          title={t("site.remove.sure", { name: site.name })}
          okText={t("act.remove")}
          cancelText={t("act.cancel")}
          onConfirm={remove}
        >
          <Button size="small" type="text" icon={<DeleteOutlined />} aria-label={named(t("act.remove"))} />
        </Popconfirm>
      ) : (
        <Guarded
          may={mayRemove}
          size="small"
          type="text"
          icon={<DeleteOutlined />}
          aria-label={named(t("act.remove"))}
        />
      )}
    </span>
  );
}
