// Writes a value into a point: what, why, until when; then in words what will happen, and only then it is sent.
import { App, Button, Checkbox, Form, Input, InputNumber, Modal, Select } from "antd";
import { useState } from "react";

import { hubNow } from "../api/clock";
import type { Point } from "../api/types";
import { duration, minute } from "../format/time";
import { unitSymbol } from "../format/unit";
import { useI18n } from "../i18n/i18n";
import { useWrite, type NewCommand } from "./command-acts";
import { valueText } from "./command-words";
import { Fault } from "./fault";

interface Words {
  value: number;
  why: string;
  /** In minutes; 0 for good. */
  minutes: number;
  expected: boolean;
}

const BOXES = [30, 60, 120, 240, 480, 1440, 10_080];

export function WriteDialog(props: { point: Point; device: string; close: () => void }) {
  const { point } = props;
  const i18n = useI18n();
  const { t, name } = i18n;
  const { message } = App.useApp();
  const [form] = Form.useForm<Words>();
  const write = useWrite();
  // What the page showed when it was opened is what a person decides by.
  const [seen] = useState(typeof point.latest?.value === "number" ? point.latest.value : null);
  const [wanted, setWanted] = useState<{ body: NewCommand; words: Words }>();
  const limits = point.write;
  if (!limits) return null;
  const title = name(point.title) || point.key;

  const consider = (words: Words) => {
    const body: NewCommand = { point: point.id, value: words.value, why: words.why.trim() };
    if (words.expected && seen !== null) body.expected = seen;
    if (words.minutes > 0) {
      body.relinquish_at = new Date(hubNow() + words.minutes * 60_000).toISOString();
    }
    setWanted({ body, words });
  };
  const send = () => {
    if (!wanted) return;
    write.mutate(wanted.body, {
      onSuccess: (command) => {
        void message.success(t(command.state === "awaiting_approval" ? "write.asked" : "write.sent"));
        props.close();
      },
    });
  };
  return (
    <Modal
      open
      onCancel={props.close}
      title={t("write.title", { name: title })}
      footer={[
        wanted ? (
          <Button key="back" onClick={() => setWanted(undefined)}>
            {t("write.back")}
          </Button>
        ) : (
          <Button key="cancel" onClick={props.close}>
            {t("act.cancel")}
          </Button>
        ),
        wanted ? (
          <Button key="send" type="primary" loading={write.isPending} onClick={send}>
            {t("write.send")}
          </Button>
        ) : (
          // Of the form, so that Enter in a field goes on.
          <Button key="next" type="primary" htmlType="submit" form="write">
            {t("write.next")}
          </Button>
        ),
      ]}
    >
      <div hidden={wanted !== undefined}>
        <p className="st-quiet">{t("write.now", { value: valueText(point, seen, i18n) })}</p>
        <Form<Words>
          name="write"
          form={form}
          layout="vertical"
          requiredMark={false}
          initialValues={{ minutes: limits.time_boxed ? 60 : 0, expected: seen !== null }}
          onFinish={consider}
        >
          <Form.Item
            name="value"
            label={t("write.value")}
            rules={[{ required: true, message: t("form.required") }]}
            extra={
              limits.min !== null && limits.max !== null
                ? t("write.range", { min: limits.min, max: limits.max, unit: unitSymbol(point.unit) })
                : undefined
            }
          >
            {limits.min !== null && limits.max !== null ? (
              <InputNumber
                autoFocus
                min={limits.min}
                max={limits.max}
                step={limits.step}
                precision={point.decimals}
                suffix={unitSymbol(point.unit)}
                style={{ width: "100%" }}
              />
            ) : (
              <Select
                options={
                  point.labels.length > 0
                    ? point.labels.map((l) => ({ value: l.code, label: name(l.names) }))
                    : [
                        { value: 1, label: t("write.on") },
                        { value: 0, label: t("write.off") },
                      ]
                }
              />
            )}
          </Form.Item>
          <Form.Item
            name="why"
            label={t("write.why")}
            extra={t("write.why.help")}
            rules={[{ required: true, whitespace: true, message: t("form.required") }]}
          >
            <Input maxLength={160} placeholder="WO-2026-0417" />
          </Form.Item>
          <Form.Item
            name="minutes"
            label={t("write.until")}
            {...(limits.time_boxed ? { extra: t("write.until.must") } : {})}
          >
            <Select
              options={[
                ...(limits.time_boxed ? [] : [{ value: 0, label: t("write.until.always") }]),
                ...BOXES.map((minutes) => ({
                  value: minutes,
                  label: t("write.until.for", { time: duration(minutes * 60_000, t) }),
                })),
              ]}
            />
          </Form.Item>
          {seen !== null && (
            <Form.Item name="expected" valuePropName="checked">
              <Checkbox>{t("write.expected", { value: valueText(point, seen, i18n) })}</Checkbox>
            </Form.Item>
          )}
        </Form>
      </div>
      {wanted && <Sure {...props} body={wanted.body} seen={seen} />}
      {wanted && write.isError && <Fault error={write.error} />}
    </Modal>
  );
}

/** What will happen, in sentences. */
function Sure(props: { point: Point; device: string; body: NewCommand; seen: number | null }) {
  const i18n = useI18n();
  const { t, name } = i18n;
  const { point, body } = props;
  const text = (value: number | null) => valueText(point, value, i18n);
  const priority = point.write?.priority;
  return (
    <div role="status">
      <p>
        <strong>
          {t("write.sure", {
            device: props.device,
            point: name(point.title) || point.key,
            from: text(props.seen),
            to: text(body.value),
          })}
        </strong>
      </p>
      <ul>
        {point.write?.two_persons && <li>{t("write.sure.two")}</li>}
        <li>{t("write.sure.now")}</li>
        {body.expected != null && <li>{t("write.sure.expected", { value: text(body.expected) })}</li>}
        <li>
          {body.relinquish_at
            ? t("write.sure.until", { at: minute(body.relinquish_at) })
            : t("write.sure.always")}
        </li>
        {priority != null && <li>{t("write.sure.priority", { priority })}</li>}
      </ul>
      <p className="st-quiet">
        {t("write.why")}: {body.why}
      </p>
    </div>
  );
}
