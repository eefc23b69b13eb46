// Enrols a gateway: a name and a place first, then the code for the person at the gateway.
import { useQuery } from "@tanstack/react-query";
import { Button, Form, Input, Modal, Select } from "antd";

import { sitesQuery } from "../../api/queries";
import { useI18n } from "../../i18n/i18n";
import { Fault } from "../../parts/fault";
import { CodeSteps } from "./code-steps";
import { useEnrol, useNewCode } from "./gateway-acts";
import { sitePaths } from "./site-paths";

export function EnrolDialog({ open, close }: { open: boolean; close: () => void }) {
  const { t, collator } = useI18n();
  const [form] = Form.useForm<{ name: string; site?: string }>();
  const sites = useQuery(sitesQuery).data ?? [];
  const enrol = useEnrol();
  const renew = useNewCode();
  const code = renew.data ?? enrol.data;
  return (
    <Modal
      open={open}
      onCancel={close}
      title={code ? t("enrol.title.code", { name: code.gateway.name }) : t("gateway.enrol")}
      destroyOnHidden
      mask={{ closable: !code }}
      width={600}
      footer={
        code ? (
          <Button onClick={close}>{t("act.close")}</Button>
        ) : (
          <Button type="primary" loading={enrol.isPending} onClick={() => form.submit()}>
            {t("enrol.make")}
          </Button>
        )
      }
      afterClose={() => {
        enrol.reset();
        renew.reset();
      }}
    >
      {code ? (
        <>
          <CodeSteps code={code} again={() => renew.mutate(code.gateway)} />
          {renew.isError && <Fault error={renew.error} />}
        </>
      ) : (
        <Form
          form={form}
          layout="vertical"
          requiredMark={false}
          preserve={false}
          onFinish={(words) => enrol.mutate(words)}
        >
          <p className="st-quiet">{t("enrol.text")}</p>
          <Form.Item
            name="name"
            label={t("gateway.name")}
            extra={t("gateway.name.help")}
            rules={[{ required: true, whitespace: true, message: t("form.required") }]}
          >
            <Input autoFocus maxLength={64} placeholder="east-plant" />
          </Form.Item>
          <Form.Item name="site" label={t("gateway.site")}>
            <Select
              allowClear
              showSearch={{ optionFilterProp: "label" }}
              placeholder={t("gateway.site.later")}
              options={sitePaths(sites, collator)}
            />
          </Form.Item>
          {enrol.isError && <Fault error={enrol.error} />}
        </Form>
      )}
    </Modal>
  );
}
