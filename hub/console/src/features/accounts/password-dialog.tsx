// Change one's own password.
import { useMutation } from "@tanstack/react-query";
import { App, Form, Input, Modal } from "antd";

import { api, take } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import { Fault } from "../../parts/fault";
import { RepeatPassword, usePasswordRules } from "./password-fields";

interface Words {
  current: string;
  new: string;
}

export function PasswordDialog({ open, close }: { open: boolean; close: () => void }) {
  const { t } = useI18n();
  const { message } = App.useApp();
  const [form] = Form.useForm<Words>();
  const rules = usePasswordRules();
  const change = useMutation({
    mutationFn: (words: Words) =>
      take(api.POST("/api/v1/session/password", { body: { current: words.current, new: words.new } })),
    onSuccess: () => {
      close();
      void message.success(t("account.password.done"));
    },
  });
  return (
    <Modal
      open={open}
      onCancel={close}
      title={t("account.password")}
      okText={t("act.save")}
      confirmLoading={change.isPending}
      onOk={() => form.submit()}
      destroyOnHidden
      afterClose={() => change.reset()}
    >
      <Form<Words>
        form={form}
        layout="vertical"
        requiredMark={false}
        preserve={false}
        onFinish={(w) => change.mutate(w)}
      >
        <Form.Item
          name="current"
          label={t("account.password.current")}
          rules={[{ required: true, message: t("form.required") }]}
        >
          <Input.Password autoFocus autoComplete="current-password" />
        </Form.Item>
        <Form.Item name="new" label={t("account.password.new")} rules={rules} extra={t("user.password.rule")}>
          <Input.Password autoComplete="new-password" />
        </Form.Item>
        <RepeatPassword of="new" />
        {change.isError && <Fault error={change.error} />}
      </Form>
    </Modal>
  );
}
