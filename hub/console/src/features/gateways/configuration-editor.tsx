// Changes what a gateway runs: the text, the gateway's own check of it, what it changes, why; and only then it is sent.
import { Alert, App, Button, Drawer, Flex, Form, Input, Select } from "antd";
import type { TextAreaRef } from "antd/es/input/TextArea";
import { useRef, useState } from "react";

import type { ConfigCheck, Configuration, Gateway } from "../../api/types";
import { useI18n } from "../../i18n/i18n";
import { Fault } from "../../parts/fault";
import { useNarrow } from "../../ui/width";
import { SettingsForm } from "./configuration-form";
import { Changes, Faults } from "./configuration-parts";
import { useCheckConfiguration, useConfigure } from "./gateway-acts";

export function Editor(props: {
  gateway: Gateway;
  configuration: Configuration;
  /** What to begin with, where that is not the configuration in force. */
  text?: string;
  close: () => void;
}) {
  const { gateway, configuration } = props;
  const { t } = useI18n();
  const narrow = useNarrow();
  const { message } = App.useApp();
  // What the page showed when it was opened is what a person changes.
  const [base, setBase] = useState({ digest: configuration.digest, text: configuration.text ?? "" });
  const [text, setText] = useState(props.text ?? base.text);
  const [checked, setChecked] = useState<{ text: string; found: ConfigCheck }>();
  const [why, setWhy] = useState("");
  const [first, setFirst] = useState("");
  const area = useRef<TextAreaRef>(null);
  const check = useCheckConfiguration(gateway.id);
  const configure = useConfigure(gateway.id);
  const isStale = base.digest !== configuration.digest;
  const found = checked?.text === text ? checked.found : undefined;
  const isGood = found?.faults.length === 0 && !isStale;
  const restart = () => {
    setBase({ digest: configuration.digest, text: configuration.text ?? "" });
    setText(configuration.text ?? "");
    setChecked(undefined);
    configure.reset();
  };
  const go = (line: number) => {
    const field = area.current?.resizableTextArea?.textArea;
    if (!field) return;
    const lines = text.split("\n");
    const from = lines.slice(0, line - 1).reduce((sum, l) => sum + l.length + 1, 0);
    field.focus();
    field.setSelectionRange(from, from + (lines[line - 1]?.length ?? 0));
    // Browsers do not scroll to a selection that a program makes.
    field.scrollTop = (field.scrollHeight / Math.max(1, lines.length)) * Math.max(0, line - 4);
  };
  const send = () =>
    configure.mutate(
      { base: base.digest, text, why: why.trim(), ...(first && { first_line: first }) },
      {
        onSuccess: () => {
          void message.success(t("config.sent"));
          props.close();
        },
      },
    );
  return (
    <Drawer
      open
      onClose={props.close}
      title={`${t("config.editor")} · ${gateway.name}`}
      size={narrow ? "100%" : 900}
      mask={{ closable: false }}
    >
      {!configuration.open && <Alert className="st-gap" type="info" showIcon title={t("config.open.no")} />}
      {isStale && (
        <Alert
          className="st-gap"
          type="warning"
          showIcon
          title={t("config.stale.title")}
          description={t("config.stale.text")}
          action={<Button onClick={restart}>{t("config.stale.act")}</Button>}
        />
      )}
      {configuration.open && (
        <div className="st-config-part">
          <SettingsForm text={text} change={setText} />
        </div>
      )}
      <label htmlFor="config-text">{t("config.text")}</label>
      <Input.TextArea
        id="config-text"
        ref={area}
        className="st-mono st-config-text"
        value={text}
        onChange={(event) => setText(event.target.value)}
        spellCheck={false}
        wrap="off"
        rows={narrow ? 14 : 22}
      />
      {configuration.open && (
        <>
          <Flex gap="small" wrap align="center" className="st-config-part">
            <Button
              type={found ? "default" : "primary"}
              disabled={!configuration.online || text === base.text || isStale}
              loading={check.isPending}
              onClick={() => check.mutate(text, { onSuccess: (found) => setChecked({ text, found }) })}
            >
              {t("config.check")}
            </Button>
            <span className="st-quiet st-small">
              {!configuration.online
                ? t("config.check.away")
                : text === base.text
                  ? t("config.same")
                  : !found && t("config.check.first")}
            </span>
          </Flex>
          {check.isError && <Fault error={check.error} />}
          {found && (
            <>
              {found.faults.length > 0 ? (
                <Alert type="error" showIcon title={t("config.bad", { n: found.faults.length })} />
              ) : (
                <Alert type="info" showIcon title={t("config.good")} description={t("config.trial")} />
              )}
              <Faults faults={found.faults} go={go} />
              <Changes changes={found.changes} />
            </>
          )}
          {isGood && found && (
            <Form className="st-config-part" layout="vertical" onFinish={send} requiredMark={false}>
              <Form.Item label={t("config.why")} extra={t("config.why.help")} htmlFor="config-why">
                <Input
                  id="config-why"
                  maxLength={160}
                  value={why}
                  onChange={(event) => setWhy(event.target.value)}
                  placeholder="WO-2026-0417"
                />
              </Form.Item>
              {found.lines.length > 1 && (
                <Form.Item label={t("config.first")} extra={t("config.first.help")} htmlFor="config-first">
                  <Select
                    id="config-first"
                    value={first}
                    onChange={setFirst}
                    options={[
                      { value: "", label: t("config.first.none") },
                      ...found.lines.map((line) => ({ value: line, label: line })),
                    ]}
                  />
                </Form.Item>
              )}
              {configure.isError && <Fault error={configure.error} />}
              <Button type="primary" htmlType="submit" loading={configure.isPending} disabled={!why.trim()}>
                {t("config.send")}
              </Button>
            </Form>
          )}
        </>
      )}
    </Drawer>
  );
}
