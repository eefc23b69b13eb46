// Log in: wrong words say what to do, a lock says until when.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { Button, Form, Input, type InputRef } from "antd";
import { useEffect, useRef } from "react";

import { api, take } from "../../api/client";
import { keys } from "../../api/queries";
import { useI18n } from "../../i18n/i18n";
import { Fault } from "../../parts/fault";
import { Entrance } from "./entrance";

interface Words {
  user: string;
  password: string;
}

export function LoginPage() {
  const { t } = useI18n();
  const client = useQueryClient();
  const router = useRouter();
  const { to } = useSearch({ from: "/login" });
  const enter = useMutation({
    mutationFn: (body: Words) => take(api.POST("/api/v1/session", { body })),
    onSuccess: (session) => {
      client.clear();
      client.setQueryData(keys.session, session);
      router.history.push(to ?? "/");
    },
  });
  const password = useRef<InputRef>(null);
  // What was wrong is at hand for another try.
  useEffect(() => {
    if (enter.error) password.current?.focus({ cursor: "all" });
  }, [enter.error]);
  return (
    <Entrance title={t("login.title")} text={t("login.text")}>
      <Form<Words>
        layout="vertical"
        requiredMark={false}
        onFinish={(words) => enter.mutate(words)}
        disabled={enter.isPending}
      >
        <Form.Item
          name="user"
          label={t("user.user")}
          rules={[{ required: true, message: t("form.required") }]}
        >
          <Input autoFocus autoComplete="username" size="large" />
        </Form.Item>
        <Form.Item
          name="password"
          label={t("user.password")}
          rules={[{ required: true, message: t("form.required") }]}
        >
          <Input.Password ref={password} autoComplete="current-password" size="large" />
        </Form.Item>
        {enter.isError && (
          <Form.Item>
            <Fault error={enter.error} />
          </Form.Item>
        )}
        <Button type="primary" htmlType="submit" size="large" block loading={enter.isPending}>
          {t("login.act")}
        </Button>
      </Form>
    </Entrance>
  );
}
