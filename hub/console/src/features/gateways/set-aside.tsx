// Batches of a gateway that could not be used: which there are, and what is in one.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { App, Button, Drawer, Flex } from "antd";
import { useState } from "react";

import { setAsidePagesQuery, setAsideQuery } from "../../api/queries";
import type { Gateway, SetAside, SetAsideContent } from "../../api/types";
import { instant } from "../../format/time";
import { formatBytes, formatNumber, NO_VALUE } from "../../format/value";
import { lookup, useI18n, type I18n } from "../../i18n/i18n";
import { Fault, faultText } from "../../parts/fault";
import { Folded } from "../../parts/gateway-words";
import { Guarded } from "../../parts/guarded";
import { useSession } from "../../parts/session";
import { QueryState } from "../../parts/state";
import { follow } from "../../ui/download";
import { Facts, Panel } from "../../ui/page";
import { Rows } from "../../ui/rows";
import { useNarrow } from "../../ui/width";
import * as can from "./can";
import { useDiscard } from "./gateway-acts";

/** Nothing at all where nothing was set aside: that is how it should be. */
export function SetAsidePanel({ gateway }: { gateway: Gateway }) {
  const i18n = useI18n();
  const { t } = i18n;
  const batches = useInfiniteQuery(setAsidePagesQuery(gateway.id));
  const [looked, look] = useState<string>();
  const items = batches.data?.pages.flatMap((page) => page.items) ?? [];
  if (batches.isError) {
    return (
      <Panel title={t("aside.title")} padded>
        <Fault error={batches.error} />
      </Panel>
    );
  }
  if (items.length === 0) return null;
  return (
    <Panel title={t("aside.title")}>
      <div className="st-panel-body st-quiet st-small">{t("aside.sub")}</div>
      <Rows<SetAside>
        items={items}
        rowKey={(b) => b.id}
        label={t("aside.title")}
        columns={[
          {
            key: "received",
            title: t("aside.received"),
            card: "head",
            render: (b) => <span className="st-num">{instant(b.received_at)}</span>,
          },
          { key: "lane", title: t("aside.lane"), render: (b) => laneText(b, i18n) },
          { key: "sequence", title: t("aside.sequence"), render: (b) => b.sequence ?? NO_VALUE },
          { key: "bytes", title: t("aside.bytes"), align: "right", render: (b) => formatBytes(b.bytes) },
          {
            key: "reason",
            title: t("aside.reason"),
            render: (b) => <Folded sentence={t("aside.words")} words={b.reason} />,
          },
          {
            key: "look",
            title: "",
            card: "side",
            render: (b) => (
              <Button size="small" onClick={() => look(b.id)}>
                {t("aside.look")}
              </Button>
            ),
          },
        ]}
        foot={
          batches.hasNextPage && (
            <div className="st-more">
              <Button loading={batches.isFetchingNextPage} onClick={() => void batches.fetchNextPage()}>
                {t("gateway.events.more")}
              </Button>
            </div>
          )
        }
      />
      <InsideDrawer gateway={gateway} id={looked} close={() => look(undefined)} />
    </Panel>
  );
}

function laneText({ lane }: SetAside, { language, t }: I18n): string {
  return (lane && lookup(language, `fact.lane.${lane}`)) || t("aside.lane.unknown");
}

function InsideDrawer(props: { gateway: Gateway; id: string | undefined; close: () => void }) {
  const { t } = useI18n();
  const narrow = useNarrow();
  return (
    <Drawer
      open={props.id !== undefined}
      onClose={props.close}
      title={t("aside.inside")}
      size={narrow ? "100%" : 640}
      destroyOnHidden
    >
      {props.id && <Asked gateway={props.gateway} id={props.id} close={props.close} />}
    </Drawer>
  );
}

function Asked({ gateway, id, close }: { gateway: Gateway; id: string; close: () => void }) {
  const inside = useQuery(setAsideQuery(gateway.id, id));
  return (
    <QueryState query={inside}>
      {(content) => (
        <>
          <Acts gateway={gateway} content={content} close={close} />
          <Inside content={content} />
        </>
      )}
    </QueryState>
  );
}

/** What is in one batch, as far as it can be read. */
export function Inside({ content }: { content: SetAsideContent }) {
  const i18n = useI18n();
  const { t, language } = i18n;
  const { batch } = content;
  const between =
    content.first && content.last ? `${instant(content.first)} – ${instant(content.last)}` : NO_VALUE;
  return (
    <>
      <Facts
        rows={[
          [t("aside.lane"), laneText(batch, i18n)],
          [
            t("aside.sequence"),
            t("aside.place", { epoch: batch.epoch, sequence: batch.sequence ?? NO_VALUE }),
          ],
          [t("aside.received"), instant(batch.received_at)],
          [
            t("aside.reason"),
            <span key="reason" lang="en">
              {batch.reason}
            </span>,
          ],
          [t("aside.intact"), t(content.intact ? "aside.intact.yes" : "aside.intact.no")],
          ...(content.readings == null
            ? []
            : ([
                [t("aside.readings"), formatNumber(content.readings, 0)],
                [t("aside.between"), between],
              ] as [string, string][])),
        ]}
      />
      {content.unreadable && (
        <>
          <p>{t("aside.unreadable")}</p>
          <p className="st-quiet st-small" lang="en">
            {content.unreadable}
          </p>
          <pre className="st-bytes">{content.head.match(/.{1,32}/g)?.join("\n")}</pre>
        </>
      )}
      {content.item && <pre className="st-bytes">{JSON.stringify(content.item, null, 2)}</pre>}
      {content.samples.length > 0 && (
        <Rows
          items={content.samples}
          rowKey={(s) => `${s.number} ${s.at}`}
          label={t("aside.readings")}
          columns={[
            {
              key: "point",
              title: t("aside.point"),
              card: "head",
              render: (s) =>
                s.device ? `${s.device} · ${s.point}` : t("aside.number", { number: s.number }),
            },
            {
              key: "at",
              title: t("aside.at"),
              render: (s) => <span className="st-num">{instant(s.at)}</span>,
            },
            {
              key: "value",
              title: t("aside.value"),
              align: "right",
              render: (s) => (s.value == null ? NO_VALUE : String(s.value)),
            },
            {
              key: "quality",
              title: t("aside.quality"),
              render: (s) => lookup(language, `quality.${s.quality}`) ?? s.quality,
            },
          ]}
          foot={
            (content.readings ?? 0) > content.samples.length && (
              <p className="st-quiet">{t("aside.first", { n: content.samples.length })}</p>
            )
          }
        />
      )}
    </>
  );
}

function Acts(props: { gateway: Gateway; content: SetAsideContent; close: () => void }) {
  const i18n = useI18n();
  const { t } = i18n;
  const session = useSession();
  const { modal, message } = App.useApp();
  const discard = useDiscard(props.gateway.id);
  const { id } = props.content.batch;
  const sure = () =>
    modal.confirm({
      title: t("aside.discard.sure"),
      content: t("aside.discard.text"),
      okText: t("aside.discard"),
      okButtonProps: { danger: true },
      cancelText: t("act.cancel"),
      onOk: () =>
        discard
          .mutateAsync(id)
          .then(props.close)
          .catch((error: unknown) => void message.error(faultText(error, i18n))),
    });
  return (
    <Flex gap="small" wrap className="st-aside-acts">
      <Button onClick={() => follow(`/api/v1/gateways/${props.gateway.id}/quarantine/${id}/body`)}>
        {t("aside.download")}
      </Button>
      <Guarded may={can.discard(session)} danger onClick={sure}>
        {t("aside.discard")}
      </Guarded>
    </Flex>
  );
}
