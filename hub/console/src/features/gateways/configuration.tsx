// The configuration that a gateway runs, what was sent to it from here, and the way to change it.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Alert, App, Button, Drawer, Flex } from "antd";
import { useState } from "react";

import {
  configurationPagesQuery,
  configurationQuery,
  configurationVersionQuery,
  pastConfigurationQuery,
  pastConfigurationsQuery,
} from "../../api/queries";
import { isProblem } from "../../api/problem";
import type { Configuration, ConfigVersion, Gateway, PastConfiguration } from "../../api/types";
import { instant } from "../../format/time";
import { lookup, useI18n, type I18n } from "../../i18n/i18n";
import { Fault, faultText } from "../../parts/fault";
import { atLeast, useSession } from "../../parts/session";
import { QueryState } from "../../parts/state";
import { Mark, type Tone } from "../../ui/mark";
import { Facts, Panel } from "../../ui/page";
import { Rows } from "../../ui/rows";
import { useNarrow } from "../../ui/width";
import { Changes, Faults } from "./configuration-parts";
import { Editor } from "./configuration-editor";
import { useCancelConfiguration } from "./gateway-acts";

const TONE: Record<ConfigVersion["state"], Tone> = {
  queued: "off",
  sent: "off",
  trying: "warn",
  kept: "good",
  refused: "bad",
  taken_back: "bad",
  cancelled: "off",
};
const UNDER_WAY: ConfigVersion["state"][] = ["queued", "sent", "trying"];

/** Who may not change it is not told it: it names what a plant is made of. */
export function ConfigurationPanel({ gateway }: { gateway: Gateway }) {
  const may = atLeast(useSession(), "engineer").allowed;
  return may && gateway.enrolled_at ? <Asked gateway={gateway} /> : null;
}

function Asked({ gateway }: { gateway: Gateway }) {
  const { t } = useI18n();
  const configuration = useQuery(configurationQuery(gateway.id));
  const { error } = configuration;
  if (isProblem(error) && error.code === "not_told") {
    return (
      <Panel title={t("config.title")}>
        <div className="st-panel-body st-quiet">{t("config.not_told")}</div>
      </Panel>
    );
  }
  return <QueryState query={configuration}>{(c) => <Told gateway={gateway} configuration={c} />}</QueryState>;
}

function Told({ gateway, configuration }: { gateway: Gateway; configuration: Configuration }) {
  const i18n = useI18n();
  const { t } = i18n;
  const versions = useInfiniteQuery(configurationPagesQuery(gateway.id));
  // The text to begin with, where that is not the one in force.
  const [editing, edit] = useState<{ text?: string }>();
  const [looked, look] = useState<number>();
  const items = versions.data?.pages.flatMap((page) => page.items) ?? [];
  const underWay = items.find((v) => UNDER_WAY.includes(v.state));
  return (
    <Panel
      title={t("config.title")}
      side={
        <Button size="small" disabled={configuration.text == null} onClick={() => edit({})}>
          {t("config.edit")}
        </Button>
      }
    >
      <div className="st-panel-body">
        <Facts
          rows={[
            [
              t("config.in_force"),
              configuration.version == null
                ? t("config.site")
                : t("config.version", { version: configuration.version }),
            ],
            [t("config.open"), t(configuration.open ? "config.open.yes" : "config.open.no")],
            [t("config.told"), <span className="st-num">{instant(configuration.told_at)}</span>],
          ]}
        />
        {configuration.text == null && <p className="st-quiet">{t("config.long")}</p>}
        {underWay && (
          <Alert
            className="st-config-part"
            type="info"
            showIcon
            title={t("config.under_way", {
              version: underWay.version,
              state: t(`config.state.${underWay.state}`),
            })}
            description={underWay.state === "trying" ? t("config.trying.text") : undefined}
          />
        )}
      </div>
      {versions.isError && <Fault error={versions.error} />}
      {items.length === 0 ? (
        <div className="st-panel-body st-quiet">{t("config.none")}</div>
      ) : (
        <Rows<ConfigVersion>
          items={items}
          rowKey={(v) => v.version}
          label={t("config.history")}
          columns={[
            {
              key: "version",
              title: t("config.number"),
              card: "head",
              render: (v) => t("config.number.of", { version: v.version }),
            },
            { key: "state", title: t("config.state"), render: (v) => <VersionMark version={v} /> },
            { key: "why", title: t("config.why"), render: (v) => v.why },
            { key: "author", title: t("config.author"), render: (v) => v.author },
            {
              key: "created",
              title: t("config.created"),
              render: (v) => <span className="st-num">{instant(v.created_at)}</span>,
            },
            {
              key: "look",
              title: "",
              card: "side",
              render: (v) => (
                <Button size="small" onClick={() => look(v.version)}>
                  {t("config.look")}
                </Button>
              ),
            },
          ]}
          foot={
            versions.hasNextPage && (
              <div className="st-more">
                <Button loading={versions.isFetchingNextPage} onClick={() => void versions.fetchNextPage()}>
                  {t("config.more")}
                </Button>
              </div>
            )
          }
        />
      )}
      <Past gateway={gateway} again={(text) => edit({ text })} />
      {editing && (
        <Editor
          gateway={gateway}
          configuration={configuration}
          {...(editing.text === undefined ? {} : { text: editing.text })}
          close={() => edit(undefined)}
        />
      )}
      {looked !== undefined && (
        <VersionDrawer
          gateway={gateway}
          version={looked}
          close={() => look(undefined)}
          again={(text) => {
            look(undefined);
            edit({ text });
          }}
        />
      )}
    </Panel>
  );
}

/** Nothing at all where there are none. */
function Past({ gateway, again }: { gateway: Gateway; again: (text: string) => void }) {
  const { t } = useI18n();
  const narrow = useNarrow();
  const past = useQuery(pastConfigurationsQuery(gateway.id));
  const [looked, look] = useState<string>();
  const content = useQuery({
    ...pastConfigurationQuery(gateway.id, looked ?? ""),
    enabled: looked !== undefined,
  });
  if (past.isError) return <Fault error={past.error} />;
  if (!past.data || past.data.length === 0) return null;
  return (
    <>
      <div className="st-panel-body">
        <h3>{t("config.past")}</h3>
        <div className="st-quiet st-small">{t("config.past.sub")}</div>
      </div>
      <Rows<PastConfiguration>
        items={past.data}
        rowKey={(p) => p.digest}
        label={t("config.past")}
        columns={[
          {
            key: "told",
            title: t("config.past.told"),
            card: "head",
            render: (p) => <span className="st-num">{instant(p.told_at)}</span>,
          },
          {
            key: "look",
            title: "",
            card: "side",
            align: "right",
            render: (p) => (
              <Button size="small" onClick={() => look(p.digest)}>
                {t("config.look")}
              </Button>
            ),
          },
        ]}
      />
      <Drawer
        open={looked !== undefined}
        onClose={() => look(undefined)}
        title={t("config.past.one")}
        size={narrow ? "100%" : 760}
        destroyOnHidden
      >
        <QueryState query={content}>
          {({ text, changes }) => (
            <>
              <Button
                className="st-aside-acts"
                onClick={() => {
                  look(undefined);
                  again(text);
                }}
              >
                {t("config.past.again")}
              </Button>
              <Changes changes={changes} title={t("config.past.changes")} />
              <h3>{t("config.text")}</h3>
              <pre className="st-bytes">{text}</pre>
            </>
          )}
        </QueryState>
      </Drawer>
    </>
  );
}

/** A word of a newer gateway is shown as it is. */
const reasonText = (reason: string, { language }: I18n): string =>
  lookup(language, `config.reason.${reason}`) ?? reason;

function VersionMark({ version }: { version: ConfigVersion }) {
  const i18n = useI18n();
  return (
    <span>
      <Mark tone={TONE[version.state] ?? "off"}>{i18n.t(`config.state.${version.state}`)}</Mark>
      {version.reason && <div className="st-quiet st-small">{reasonText(version.reason, i18n)}</div>}
    </span>
  );
}

function VersionDrawer(props: {
  gateway: Gateway;
  version: number;
  close: () => void;
  again: (text: string) => void;
}) {
  const i18n = useI18n();
  const { t } = i18n;
  const narrow = useNarrow();
  const { message } = App.useApp();
  const content = useQuery(configurationVersionQuery(props.gateway.id, props.version));
  const cancel = useCancelConfiguration(props.gateway.id);
  return (
    <Drawer
      open
      onClose={props.close}
      title={t("config.number.of", { version: props.version })}
      size={narrow ? "100%" : 760}
    >
      <QueryState query={content}>
        {({ version, changes, text }) => (
          <>
            <Flex gap="small" wrap className="st-aside-acts">
              <Button onClick={() => props.again(text)}>{t("config.again")}</Button>
              {version.state === "queued" && (
                <Button
                  danger
                  loading={cancel.isPending}
                  onClick={() =>
                    cancel.mutate(version.version, {
                      onSuccess: () => void message.success(t("config.cancelled")),
                      onError: (error) => void message.error(faultText(error, i18n)),
                    })
                  }
                >
                  {t("config.cancel")}
                </Button>
              )}
            </Flex>
            <Facts
              rows={[
                [t("config.state"), <VersionMark version={version} />],
                [t("config.author"), version.author],
                [t("config.why"), version.why],
                [t("config.created"), <span className="st-num">{instant(version.created_at)}</span>],
              ]}
            />
            {version.detail && (
              <p className="st-quiet st-small" lang="en">
                {version.detail}
              </p>
            )}
            <Faults faults={version.faults} />
            <Changes changes={changes} />
            <h3>{t("config.text")}</h3>
            <pre className="st-bytes">{text}</pre>
          </>
        )}
      </QueryState>
    </Drawer>
  );
}
