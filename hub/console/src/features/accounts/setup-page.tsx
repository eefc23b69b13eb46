// The first run: makes the first administrator, and is closed for ever after.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Button, Form, Input } from "antd";

import { api, take } from "../../api/client";
import { keys } from "../../api/queries";
import { useI18n } from "../../i18n/i18n";
import { Fault } from "../../parts/fault";
import { Entrance } from "./entrance";
import { RepeatPassword, usePasswordRules } from "./password-fields";

interface Words {
  user: string;
  name: string;
  password: string;
}

export function SetupPage() {
  const { t } = useI18n();
  const client = useQueryClient();
  const navigate = useNavigate();
  const rules = usePasswordRules();
  const make = useMutation({
    mutationFn: ({ user, name, password }: Words) =>
      take(api.POST("/api/v1/setup", { body: { user, name, password } })),
    onSuccess: async (session) => {
      client.clear();
      client.setQueryData(keys.session, session);
      await navigate({ to: "/" });
    },
  });
  const required = { required: true, message: t("form.required") };
  return (
    <Entrance title={t("setup.title")} text={t("setup.text")}>
      <Form<Words>
        layout="vertical"
        requiredMark={false}
        onFinish={(words) => make.mutate(words)}
        disabled={make.isPending}
      >
        <Form.Item name="name" label={t("user.name")} rules={[required]}>
          <Input autoFocus autoComplete="name" />
        </Form.Item>
        <Form.Item name="user" label={t("user.user")} rules={[required]} initialValue="admin">
          <Input autoComplete="username" />
        </Form.Item>
        <Form.Item name="password" label={t("user.password")} rules={rules} extra={t("user.password.rule")}>
          <Input.Password autoComplete="new-password" />
        </Form.Item>
        <RepeatPassword of="password" />
        {make.isError && (
          <Form.Item>
            <Fault error={make.error} />
          </Form.Item>
        )}
        <Button type="primary" htmlType="submit" size="large" block loading={make.isPending}>
          {t("setup.act")}
        </Button>
      </Form>
    </Entrance>
  );
}
