// Who is logged in, and what is theirs: language, theme, password, the way out.
import { UserOutlined } from "@ant-design/icons";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { App, Button, Popconfirm, Popover } from "antd";
import { useState } from "react";

import { api, take } from "../api/client";
import { PasswordDialog } from "../features/accounts/password-dialog";
import { useI18n } from "../i18n/i18n";
import { faultText } from "../parts/fault";
import { useSession } from "../parts/session";
import { LanguageChoice, ThemeChoices } from "../parts/look-choices";

export function AccountMenu() {
  const i18n = useI18n();
  const { t } = i18n;
  const session = useSession();
  const client = useQueryClient();
  const navigate = useNavigate();
  const { message } = App.useApp();
  const [open, setOpen] = useState(false);
  const [password, setPassword] = useState(false);
  const leave = useMutation({
    mutationFn: (everywhere: boolean) =>
      everywhere ? take(api.POST("/api/v1/session/end-all")) : take(api.DELETE("/api/v1/session")),
    onSuccess: async () => {
      client.clear();
      await navigate({ to: "/login" });
    },
    onError: (error) => void message.error(faultText(error, i18n)),
  });
  const user = session?.user;
  return (
    <>
      <Popover
        open={open}
        onOpenChange={setOpen}
        trigger="click"
        placement="bottomRight"
        content={
          <div className="st-account">
            <div>
              <strong>{user?.name}</strong>
              <div className="st-quiet st-small">
                {user?.user} · {user && t(`role.${user.role}`)}
              </div>
            </div>
            <div className="st-account-row">
              <span>{t("account.language")}</span>
              <LanguageChoice />
            </div>
            <div className="st-account-row">
              <span>{t("account.theme")}</span>
              <ThemeChoices />
            </div>
            <div className="st-account-acts">
              <Button
                onClick={() => {
                  setOpen(false);
                  setPassword(true);
                }}
              >
                {t("account.password")}
              </Button>
              <Button loading={leave.isPending} onClick={() => leave.mutate(false)}>
                {t("account.logout")}
              </Button>
            </div>
            <Popconfirm
              title={t("account.everywhere.sure")}
              okText={t("account.logout")}
              cancelText={t("act.cancel")}
              onConfirm={() => leave.mutate(true)}
            >
              <Button type="link" size="small">
                {t("account.everywhere")}
              </Button>
            </Popconfirm>
          </div>
        }
      >
        <Button
          type="text"
          icon={<UserOutlined />}
          aria-label={t("account.menu", { name: user?.name ?? "" })}
        >
          <span className="st-account-name">{user?.name}</span>
        </Button>
      </Popover>
      <PasswordDialog open={password} close={() => setPassword(false)} />
    </>
  );
}
