// The story of one command: step by step who did what, and what the point showed.
import { useQuery } from "@tanstack/react-query";
import { Drawer, Timeline } from "antd";

import { commandQuery } from "../../api/queries";
import type { Command, CommandStep } from "../../api/types";
import { instant } from "../../format/time";
import { lookup, useI18n } from "../../i18n/i18n";
import { CommandMark, reasonText, valueText } from "../../parts/command-words";
import { QueryState } from "../../parts/state";
import { Facts } from "../../ui/page";
import { useNarrow } from "../../ui/width";
import { CommandActs } from "./command-parts";

const COLOR: Record<string, string> = {
  confirmed: "green",
  written: "green",
  refused: "red",
  not_effective: "red",
  expired: "orange",
  not_relinquished: "orange",
};

export function StoryDrawer({ id, close }: { id: string | undefined; close: () => void }) {
  const { t } = useI18n();
  const narrow = useNarrow();
  return (
    <Drawer
      open={id !== undefined}
      onClose={close}
      title={t("command.story")}
      size={narrow ? "100%" : 480}
      destroyOnHidden
    >
      {id && <Story id={id} />}
    </Drawer>
  );
}

export function Story({ id }: { id: string }) {
  const i18n = useI18n();
  const { t, name } = i18n;
  const story = useQuery(commandQuery(id));
  return (
    <QueryState query={story}>
      {({ command, steps }) => (
        <>
          <Facts
            rows={[
              [t("command.what"), `${name(command.point.device_title)} · ${name(command.point.title)}`],
              [t("command.value"), valueText(command.point, command.value, i18n)],
              [t("command.state"), <CommandMark key="state" command={command} />],
              [t("command.why"), command.why],
              [
                t("command.until"),
                command.relinquish_at ? instant(command.relinquish_at) : t("write.until.always"),
              ],
            ]}
          />
          <Timeline
            style={{ marginTop: 16 }}
            items={steps.map((step, n) => ({
              key: n,
              color: COLOR[step.what] ?? "gray",
              content: <Step command={command} step={step} />,
            }))}
          />
          <CommandActs command={command} />
        </>
      )}
    </QueryState>
  );
}

function Step({ command, step }: { command: Command; step: CommandStep }) {
  const i18n = useI18n();
  const { t, language } = i18n;
  const { reason, before, now, slots, why, detail } = step.facts;
  const value = (fact: unknown) => valueText(command.point, typeof fact === "number" ? fact : null, i18n);
  const array = Array.isArray(slots) ? slots.map((slot, n) => [n + 1, slot] as const) : [];
  const commanded = array.filter(([, slot]) => typeof slot === "number");
  const shown = [
    step.what === "written" && typeof before === "number" && t("command.from", { value: value(before) }),
    typeof now === "number" && t("command.shows", { value: value(now) }),
    typeof reason === "string" && reasonText(reason, i18n),
    commanded.length > 0 &&
      t("command.slots", { slots: commanded.map(([n, slot]) => `${n}: ${value(slot)}`).join(", ") }),
  ].filter((each): each is string => typeof each === "string");
  return (
    <>
      <div>
        <strong>{lookup(language, `command.step.${step.what}`) ?? step.what}</strong>
        {step.who && <span> · {step.who}</span>}
      </div>
      <div className="st-quiet st-small st-num">{instant(step.at)}</div>
      {typeof why === "string" && why && <div className="st-small">{why}</div>}
      {shown.length > 0 && <div className="st-small">{shown.join(" · ")}</div>}
      {typeof detail === "string" && detail && <div className="st-quiet st-small">{detail}</div>}
    </>
  );
}
