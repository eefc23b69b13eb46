// Adds a site or changes one.
import { Form, Input, Modal, Segmented } from "antd";

import type { Site } from "../../api/types";
import { useI18n } from "../../i18n/i18n";
import { Fault } from "../../parts/fault";
import { useAddSite, useChangeSite, type SiteWords } from "./site-acts";
import { kindsIn } from "./site-tree";

export type SiteTask = { act: "add"; parent: Site | undefined } | { act: "change"; site: Site };

export function SiteDialog({ task, close }: { task: SiteTask | undefined; close: () => void }) {
  const { t } = useI18n();
  const [form] = Form.useForm<SiteWords>();
  const add = useAddSite();
  const change = useChangeSite();
  const running = task?.act === "change" ? change : add;
  const kinds = task?.act === "add" ? kindsIn(task.parent?.kind) : [];
  const title =
    task?.act === "change"
      ? t("site.change", { name: task.site.name })
      : task?.parent
        ? t("site.add.in", { name: task.parent.name })
        : t("site.add");

  const save = (words: SiteWords) => {
    const code = words.code?.trim();
    const rest = { name: words.name.trim(), ...(code ? { code } : {}) };
    if (task?.act === "change") change.mutate({ site: task.site, ...rest }, { onSuccess: close });
    else if (task)
      add.mutate({ kind: words.kind, parent: task.parent?.id ?? null, ...rest }, { onSuccess: close });
  };
  return (
    <Modal
      open={task !== undefined}
      onCancel={close}
      title={title}
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
        <Form<SiteWords>
          form={form}
          layout="vertical"
          requiredMark={false}
          preserve={false}
          initialValues={
            task.act === "change" ? { name: task.site.name, code: task.site.code ?? "" } : { kind: kinds[0] }
          }
          onFinish={save}
        >
          {task.act === "add" && (
            <Form.Item name="kind" label={t("site.kind")}>
              <Segmented options={kinds.map((kind) => ({ value: kind, label: t(`site.kind.${kind}`) }))} />
            </Form.Item>
          )}
          <Form.Item
            name="name"
            label={t("site.name")}
            rules={[{ required: true, whitespace: true, message: t("form.required") }]}
          >
            <Input autoFocus maxLength={100} />
          </Form.Item>
          <Form.Item name="code" label={t("site.code")} extra={t("site.code.help")}>
            <Input maxLength={20} />
          </Form.Item>
          {running.isError && <Fault error={running.error} />}
        </Form>
      )}
    </Modal>
  );
}
