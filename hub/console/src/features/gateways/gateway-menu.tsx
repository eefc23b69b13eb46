// Rename or move a gateway, give it a new code, or shut it out.
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { App, Button, Form, Input, Modal, Select } from "antd";
import { useState } from "react";

import { sitesQuery } from "../../api/queries";
import type { Gateway } from "../../api/types";
import { useI18n } from "../../i18n/i18n";
import { Fault, faultText } from "../../parts/fault";
import { Guarded } from "../../parts/guarded";
import { useSession } from "../../parts/session";
import * as can from "./can";
import { CodeSteps } from "./code-steps";
import { useChangeGateway, useNewCode, useRemove, useRevoke } from "./gateway-acts";
import { sitePaths } from "./site-paths";

export function GatewayActs({ gateway }: { gateway: Gateway }) {
  const i18n = useI18n();
  const { t } = i18n;
  const session = useSession();
  const { modal, message } = App.useApp();
  const [changing, setChanging] = useState(false);
  const code = useNewCode();
  const revoke = useRevoke();
  const remove = useRemove();
  const navigate = useNavigate();

  const sureToRemove = () =>
    modal.confirm({
      title: t("gateway.remove.sure", { name: gateway.name }),
      content: t("gateway.remove.text"),
      okText: t("gateway.remove"),
      okButtonProps: { danger: true },
      cancelText: t("act.cancel"),
      onOk: () =>
        remove
          .mutateAsync(gateway)
          .then(() => navigate({ to: "/gateways" }))
          .catch((error: unknown) => void message.error(faultText(error, i18n))),
    });
  const sureToRevoke = () =>
    modal.confirm({
      title: t("gateway.revoke.sure", { name: gateway.name }),
      content: t("gateway.revoke.text"),
      okText: t("gateway.revoke"),
      okButtonProps: { danger: true },
      cancelText: t("act.cancel"),
      onOk: () =>
        revoke.mutateAsync(gateway).catch((error: unknown) => void message.error(faultText(error, i18n))),
    });
  return (
    <>
      <Guarded may={can.change(session)} onClick={() => setChanging(true)}>
        {t("act.edit")}
      </Guarded>
      <Guarded may={can.newCode(session)} loading={code.isPending} onClick={() => code.mutate(gateway)}>
        {t("enrol.code.new")}
      </Guarded>
      {gateway.state === "pending" ? (
        <Guarded may={can.remove(session, gateway)} danger onClick={sureToRemove}>
          {t("gateway.remove")}
        </Guarded>
      ) : (
        <Guarded may={can.revoke(session, gateway)} danger onClick={sureToRevoke}>
          {t("gateway.revoke")}
        </Guarded>
      )}
      <ChangeDialog gateway={gateway} open={changing} close={() => setChanging(false)} />
      <Modal
        open={code.data !== undefined || code.isError}
        onCancel={() => code.reset()}
        title={t("enrol.title.code", { name: gateway.name })}
        width={600}
        footer={<Button onClick={() => code.reset()}>{t("act.close")}</Button>}
        destroyOnHidden
      >
        {code.data && <CodeSteps code={code.data} again={() => code.mutate(gateway)} />}
        {code.isError && <Fault error={code.error} />}
      </Modal>
    </>
  );
}

function ChangeDialog({ gateway, open, close }: { gateway: Gateway; open: boolean; close: () => void }) {
  const { t, collator } = useI18n();
  const sites = useQuery(sitesQuery).data ?? [];
  const [form] = Form.useForm<{ name: string; site?: string }>();
  const change = useChangeGateway();
  return (
    <Modal
      open={open}
      onCancel={close}
      title={t("gateway.change")}
      okText={t("act.save")}
      confirmLoading={change.isPending}
      onOk={() => form.submit()}
      destroyOnHidden
      afterClose={() => change.reset()}
    >
      <Form
        form={form}
        layout="vertical"
        requiredMark={false}
        preserve={false}
        initialValues={{ name: gateway.name, ...(gateway.site ? { site: gateway.site } : {}) }}
        onFinish={({ name, site }) =>
          change.mutate({ gateway, name, site: site ?? null }, { onSuccess: close })
        }
      >
        <Form.Item
          name="name"
          label={t("gateway.name")}
          rules={[{ required: true, whitespace: true, message: t("form.required") }]}
        >
          <Input autoFocus maxLength={64} />
        </Form.Item>
        <Form.Item name="site" label={t("gateway.site")}>
          <Select
            allowClear
            showSearch={{ optionFilterProp: "label" }}
            placeholder={t("gateway.site.later")}
            options={sitePaths(sites, collator)}
          />
        </Form.Item>
        {change.isError && <Fault error={change.error} />}
      </Form>
    </Modal>
  );
}
