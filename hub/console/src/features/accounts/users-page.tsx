// Who may enter, and as what.
import { PlusOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { App, Button, Popconfirm, Result } from "antd";
import { useState } from "react";

import type { User } from "../../api/types";
import { useI18n } from "../../i18n/i18n";
import { faultText } from "../../parts/fault";
import { Guarded } from "../../parts/guarded";
import { useSession } from "../../parts/session";
import { QueryState } from "../../parts/state";
import { Mark } from "../../ui/mark";
import { PageHead, Panel } from "../../ui/page";
import { Rows } from "../../ui/rows";
import * as can from "./can";
import { useChangeUser, useEndSessions, usersQuery } from "./user-acts";
import { UserDialog, type UserTask } from "./user-dialog";

export function UsersPage() {
  const { t } = useI18n();
  const may = can.manage(useSession());
  if (!may.allowed)
    return (
      <>
        <PageHead title={t("nav.users")} />
        <Result status="403" title={t("user.forbidden.title")} subTitle={t("user.forbidden.text")} />
      </>
    );
  return <Ready />;
}

function Ready() {
  const i18n = useI18n();
  const { t, collator } = i18n;
  const session = useSession();
  const users = useQuery(usersQuery);
  const [task, setTask] = useState<UserTask>();
  const change = useChangeUser();
  const end = useEndSessions();
  const { message } = App.useApp();

  const endSessions = (user: User) =>
    end.mutate(user, {
      onSuccess: () => void message.success(t("user.end.done", { name: user.name })),
      onError: (error) => void message.error(faultText(error, i18n)),
    });
  const setDisabled = (user: User, disabled: boolean) =>
    change.mutate(
      { user, disabled },
      {
        onSuccess: () =>
          void message.success(t(disabled ? "user.disabled.done" : "user.enabled.done", { name: user.name })),
        onError: (error) => void message.error(faultText(error, i18n)),
      },
    );
  return (
    <>
      <PageHead
        title={t("nav.users")}
        sub={t("user.sub")}
        acts={
          <Button type="primary" icon={<PlusOutlined />} onClick={() => setTask({ act: "add" })}>
            {t("user.add")}
          </Button>
        }
      />
      <Panel>
        <QueryState query={users}>
          {(list) => (
            <Rows<User>
              label={t("nav.users")}
              items={[...list].sort((a, b) => collator.compare(a.name, b.name))}
              rowKey={(u) => u.id}
              columns={[
                { key: "name", title: t("user.name"), card: "head", render: (u) => u.name },
                {
                  key: "user",
                  title: t("user.user"),
                  render: (u) => <span className="st-mono">{u.user}</span>,
                },
                { key: "role", title: t("user.role"), render: (u) => t(`role.${u.role}`) },
                {
                  key: "commands",
                  title: t("user.commands"),
                  render: (u) => t(u.commands ? "user.commands.yes" : "user.commands.no"),
                },
                {
                  key: "state",
                  title: t("user.state"),
                  card: "side",
                  render: (u) => (
                    <Mark tone={u.disabled ? "off" : "good"}>
                      {t(u.disabled ? "user.disabled" : "user.enabled")}
                    </Mark>
                  ),
                },
                {
                  key: "acts",
                  title: t("act.column"),
                  render: (u) => (
                    <span className="st-acts">
                      <Button size="small" type="text" onClick={() => setTask({ act: "change", user: u })}>
                        {t("act.edit")}
                      </Button>
                      <Button size="small" type="text" onClick={() => setTask({ act: "password", user: u })}>
                        {t("user.password.reset")}
                      </Button>
                      <Popconfirm
                        title={t("user.end.sure", { name: u.name })}
                        okText={t("user.end")}
                        cancelText={t("act.cancel")}
                        onConfirm={() => endSessions(u)}
                      >
                        <Button size="small" type="text">
                          {t("user.end")}
                        </Button>
                      </Popconfirm>
                      <Guarded
                        may={can.disable(session, u)}
                        size="small"
                        type="text"
                        onClick={() => setDisabled(u, !u.disabled)}
                      >
                        {t(u.disabled ? "user.enable" : "user.disable")}
                      </Guarded>
                    </span>
                  ),
                },
              ]}
            />
          )}
        </QueryState>
      </Panel>
      <UserDialog task={task} close={() => setTask(undefined)} />
    </>
  );
}
