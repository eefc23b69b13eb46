// What a text changes, setting by setting, and what is wrong with it.
import { Button } from "antd";

import type { ConfigChange, ConfigFault } from "../../api/types";
import { useI18n } from "../../i18n/i18n";
import { Rows } from "../../ui/rows";

export function Changes({ changes, title }: { changes: ConfigChange[]; title?: string }) {
  const { t } = useI18n();
  const value = (text: string | null) =>
    text === null ? <span className="st-quiet">{t("config.absent")}</span> : <code>{text}</code>;
  return (
    <>
      <h3>{title ?? t("config.changes")}</h3>
      {changes.length === 0 ? (
        <p className="st-quiet">{t("config.changes.none")}</p>
      ) : (
        <Rows<ConfigChange>
          items={changes}
          rowKey={(c) => c.path}
          label={t("config.changes")}
          columns={[
            { key: "path", title: t("config.setting"), card: "head", render: (c) => <code>{c.path}</code> },
            { key: "before", title: t("config.before"), render: (c) => value(c.before) },
            { key: "after", title: t("config.after"), render: (c) => value(c.after) },
          ]}
        />
      )}
    </>
  );
}

/** Nothing at all where nothing is wrong. */
export function Faults({ faults, go }: { faults: ConfigFault[]; go?: (line: number) => void }) {
  const { t, name } = useI18n();
  if (faults.length === 0) return null;
  return (
    <ul className="st-config-faults">
      {faults.map((fault, n) => {
        const place = t("config.fault.line", { line: fault.line });
        return (
          <li key={n}>
            {fault.line > 0 &&
              (go ? (
                <Button size="small" type="link" onClick={() => go(fault.line)}>
                  {place}
                </Button>
              ) : (
                <strong>{place} </strong>
              ))}
            {fault.path && <code>{fault.path}</code>} {name(fault.message)}
            {name(fault.way_out) && <div className="st-quiet">{name(fault.way_out)}</div>}
          </li>
        );
      })}
    </ul>
  );
}
