// The common settings of a configuration as a form: how often points are read, what a device is called and where it stands.
// What it changes is changed in the text, which stays what is checked and sent.
import { Button, Flex, Form, Input, Select } from "antd";
import { useState } from "react";

import type { ConfigSetting } from "../../api/types";
import { useI18n, type PlainKey } from "../../i18n/i18n";
import { Fault } from "../../parts/fault";
import { useSettings } from "./gateway-acts";

interface Field {
  label: PlainKey;
  path: string[];
}

const PERIODS = ["fast", "normal", "slow", "static"] as const;
const periods = PERIODS.map((name): Field => ({ label: `config.form.${name}`, path: ["periods", name] }));
const OF_DEVICE: Field[] = [
  { label: "config.form.zh", path: ["title", "zh"] },
  { label: "config.form.en", path: ["title", "en"] },
  { label: "config.form.place", path: ["place"] },
  ...periods,
];

/** Where the settings of a device begin. */
interface Device {
  line: string;
  name: string;
}

const devicesOf = (settings: ConfigSetting[]): Device[] =>
  settings.flatMap(({ path: [list, line, devices, name, key] }) =>
    list === "line" && devices === "device" && key === "name" && line && name ? [{ line, name }] : [],
  );

/** What a person reads of a value of TOML: a text without its quotes. */
function plain(value: string | undefined): string {
  if (value === undefined) return "";
  try {
    const read: unknown = JSON.parse(value);
    return typeof read === "string" ? read : value;
  } catch {
    return value.startsWith("'") ? value.slice(1, -1) : value;
  }
}

export function SettingsForm({ text, change }: { text: string; change: (text: string) => void }) {
  const { t } = useI18n();
  const settings = useSettings();
  const [read, setRead] = useState<{ text: string; settings: ConfigSetting[] }>();
  const [chosen, choose] = useState("");
  // A text that somebody has changed by hand is read anew.
  const known = read?.text === text ? read.settings : undefined;
  const open = () => settings.mutate({ text }, { onSuccess: setRead });
  if (!known) {
    return (
      <>
        <Button onClick={open} loading={settings.isPending}>
          {t("config.form")}
        </Button>
        {settings.isError && <Fault error={settings.error} />}
      </>
    );
  }
  const devices = devicesOf(known);
  const device = devices.find((d) => `${d.line}/${d.name}` === chosen);
  const base = device ? ["line", device.line, "device", device.name] : [];
  const fields = device ? OF_DEVICE : periods;
  const valueOf = (path: string[]) =>
    plain(known.find((s) => s.path.join("\n") === [...base, ...path].join("\n"))?.value);
  const set = (path: string[], value: string) => {
    const wanted = value.trim();
    if (wanted === valueOf(path)) return;
    settings.mutate(
      { text, set: { path: [...base, ...path], value: wanted === "" ? null : JSON.stringify(wanted) } },
      {
        onSuccess: (found) => {
          setRead(found);
          change(found.text);
        },
      },
    );
  };
  return (
    <Form layout="vertical" className="st-config-form">
      <Form.Item label={t("config.form.of")} htmlFor="config-form-of">
        <Select
          id="config-form-of"
          value={device ? chosen : ""}
          onChange={choose}
          showSearch={{ optionFilterProp: "label" }}
          options={[
            { value: "", label: t("config.form.all") },
            ...devices.map((d) => ({ value: `${d.line}/${d.name}`, label: `${d.name} (${d.line})` })),
          ]}
        />
      </Form.Item>
      <Flex wrap gap="small">
        {fields.map(({ label, path }) => (
          <Form.Item key={path.join(".")} label={t(label)} htmlFor={`config-${path.join("-")}`}>
            <Input
              // Another device, or a text that was changed otherwise, begins with its own values.
              key={`${chosen} ${valueOf(path)}`}
              id={`config-${path.join("-")}`}
              defaultValue={valueOf(path)}
              placeholder={t("config.form.usual")}
              onBlur={(event) => set(path, event.target.value)}
              onPressEnter={(event) => set(path, event.currentTarget.value)}
            />
          </Form.Item>
        ))}
      </Flex>
      {settings.isError && <Fault error={settings.error} />}
    </Form>
  );
}
