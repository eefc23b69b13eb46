// A list of commands, and what can be done with one.
import { Link } from "@tanstack/react-router";
import { App, Input, Popconfirm } from "antd";
import { useState } from "react";

import type { Command } from "../../api/types";
import { instant } from "../../format/time";
import { useI18n } from "../../i18n/i18n";
import { useApprove, useEnd } from "../../parts/command-acts";
import { CommandMark, isOver, valueText } from "../../parts/command-words";
import { faultText } from "../../parts/fault";
import { Guarded } from "../../parts/guarded";
import { useSession } from "../../parts/session";
import { Rows } from "../../ui/rows";
import * as can from "./can";

export function CommandRows({ items, label }: { items: Command[]; label: string }) {
  const i18n = useI18n();
  const { t, name } = i18n;
  return (
    <Rows<Command>
      label={label}
      items={items}
      rowKey={(c) => c.id}
      columns={[
        {
          key: "what",
          title: t("command.what"),
          card: "head",
          render: (c) => (
            <Link to="/commands" search={(before) => ({ ...before, id: c.id })}>
              {name(c.point.device_title)} · {name(c.point.title)}
            </Link>
          ),
        },
        {
          key: "value",
          title: t("command.value"),
          card: "side",
          align: "right",
          render: (c) => <span className="st-num">{valueText(c.point, c.value, i18n)}</span>,
        },
        { key: "state", title: t("command.state"), card: "line", render: (c) => <CommandMark command={c} /> },
        {
          key: "who",
          title: t("command.who"),
          render: (c) =>
            c.approver
              ? t("command.by.two", { who: c.requester, approver: c.approver })
              : t("command.by", { who: c.requester }),
        },
        { key: "why", title: t("command.why"), render: (c) => c.why },
        {
          key: "until",
          title: t("command.until"),
          render: (c) =>
            c.relinquish_at ? <span className="st-num">{instant(c.relinquish_at)}</span> : null,
        },
        {
          key: "at",
          title: t("command.at"),
          render: (c) => <span className="st-num">{instant(c.created_at)}</span>,
        },
        { key: "acts", title: t("act.column"), render: (c) => <CommandActs command={c} /> },
      ]}
    />
  );
}

export function CommandActs({ command }: { command: Command }) {
  const i18n = useI18n();
  const { t, name } = i18n;
  const session = useSession();
  const { message } = App.useApp();
  const approve = useApprove();
  const failed = (error: unknown) => void message.error(faultText(error, i18n));
  if (isOver(command.state)) return null;
  const awaits = command.state === "awaiting_approval";
  const slots = { point: name(command.point.title), value: valueText(command.point, command.value, i18n) };
  const mayApprove = can.approve(session, command);
  return (
    <span className="st-acts">
      {awaits &&
        (mayApprove.allowed ? (
          <Popconfirm
            title={t("command.approve.sure", slots)}
            okText={t("command.approve")}
            cancelText={t("act.cancel")}
            onConfirm={() => approve.mutate(command, { onError: failed })}
          >
            <Guarded may={mayApprove} size="small" type="primary" loading={approve.isPending}>
              {t("command.approve")}
            </Guarded>
          </Popconfirm>
        ) : (
          <Guarded may={mayApprove} size="small">
            {t("command.approve")}
          </Guarded>
        ))}
      {awaits && <EndAct command={command} act="reject" />}
      {!awaits && <EndAct command={command} act="cancel" />}
    </span>
  );
}

/** Asks why first. */
function EndAct({ command, act }: { command: Command; act: "reject" | "cancel" }) {
  const i18n = useI18n();
  const { t } = i18n;
  const session = useSession();
  const { message } = App.useApp();
  const [why, setWhy] = useState("");
  const end = useEnd();
  const may = act === "reject" ? can.reject(session) : can.end(session, command);
  const words = act === "reject" ? "command.reject" : command.sent ? "command.give_up" : "command.cancel";
  const button = (
    <Guarded may={may} size="small" type="text" loading={end.isPending}>
      {t(words)}
    </Guarded>
  );
  if (!may.allowed) return button;
  return (
    <Popconfirm
      title={t("command.reason.ask")}
      description={
        <Input
          aria-label={t("command.reason.ask")}
          maxLength={160}
          value={why}
          onChange={(event) => setWhy(event.target.value)}
        />
      }
      okText={t(words)}
      okButtonProps={{ disabled: why.trim() === "" }}
      cancelText={t("act.cancel")}
      onConfirm={() =>
        end.mutate(
          { command, act, why: why.trim() },
          { onError: (error) => void message.error(faultText(error, i18n)) },
        )
      }
    >
      {button}
    </Popconfirm>
  );
}
