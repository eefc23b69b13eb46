// Adds a user, changes one, or gives one a new password.
import { App, Checkbox, Form, Input, Modal, Select } from "antd";

import type { Role, User } from "../../api/types";
import { useI18n } from "../../i18n/i18n";
import { Fault } from "../../parts/fault";
import { useSession } from "../../parts/session";
import * as can from "./can";
import { usePasswordRules } from "./password-fields";
import { useAddUser, useChangeUser } from "./user-acts";

export type UserTask = { act: "add" } | { act: "change"; user: User } | { act: "password"; user: User };

interface Words {
  user: string;
  name: string;
  role: Role;
  commands: boolean;
  password: string;
}

const ROLES: Role[] = ["viewer", "engineer", "admin"];

export function UserDialog({ task, close }: { task: UserTask | undefined; close: () => void }) {
  const { t } = useI18n();
  const { message } = App.useApp();
  const session = useSession();
  const [form] = Form.useForm<Words>();
  const rules = usePasswordRules();
  const add = useAddUser();
  const change = useChangeUser();
  const running = task?.act === "add" ? add : change;
  const own = task && task.act !== "add" ? can.disable(session, task.user) : { allowed: true };
  const done = () => {
    close();
    if (task?.act === "password") void message.success(t("user.password.done", { name: task.user.name }));
  };
  const save = (words: Words) => {
    if (task?.act === "add") add.mutate(words, { onSuccess: done });
    else if (task?.act === "change") {
      const { name, role, commands } = words;
      change.mutate({ user: task.user, name, role, commands }, { onSuccess: done });
    } else if (task) change.mutate({ user: task.user, password: words.password }, { onSuccess: done });
  };
  const required = { required: true, whitespace: true, message: t("form.required") };
  const titles = {
    add: () => t("user.add"),
    change: () => t("user.change"),
    password: () => t("user.password.of", { name: task && task.act !== "add" ? task.user.name : "" }),
  };
  return (
    <Modal
      open={task !== undefined}
      onCancel={close}
      title={task && titles[task.act]()}
      okText={t("act.save")}
      confirmLoading={running.isPending}
      onOk={() => form.submit()}
      destroyOnHidden
      afterClose={() => {
        add.reset();
        change.reset();
      }}
    >
      {task && (
        <Form<Words>
          form={form}
          layout="vertical"
          requiredMark={false}
          preserve={false}
          initialValues={
            task.act === "add"
              ? { role: "viewer", commands: false }
              : { name: task.user.name, role: task.user.role, commands: task.user.commands }
          }
          onFinish={save}
        >
          {task.act !== "password" && (
            <Form.Item name="name" label={t("user.name")} rules={[required]}>
              <Input autoFocus maxLength={100} autoComplete="off" />
            </Form.Item>
          )}
          {task.act === "add" && (
            <Form.Item name="user" label={t("user.user")} rules={[required]} extra={t("user.user.help")}>
              <Input maxLength={64} autoComplete="off" />
            </Form.Item>
          )}
          {task.act !== "password" && (
            <Form.Item name="role" label={t("user.role")} {...(own.allowed ? {} : { extra: t("may.self") })}>
              <Select
                disabled={!own.allowed}
                options={ROLES.map((role) => ({
                  value: role,
                  label: `${t(`role.${role}`)} – ${t(`role.${role}.may`)}`,
                }))}
              />
            </Form.Item>
          )}
          {task.act !== "password" && (
            <Form.Item name="commands" valuePropName="checked" extra={t("user.commands.help")}>
              <Checkbox>{t("user.commands")}</Checkbox>
            </Form.Item>
          )}
          {task.act !== "change" && (
            <Form.Item
              name="password"
              label={t("user.password")}
              rules={rules}
              extra={t("user.password.tell")}
            >
              <Input.Password autoComplete="new-password" />
            </Form.Item>
          )}
          {running.isError && <Fault error={running.error} />}
        </Form>
      )}
    </Modal>
  );
}
