// The states of commands and their values in words.
import type { Command } from "../api/types";
import { unitSymbol } from "../format/unit";
import { formatNumber, NO_VALUE } from "../format/value";
import { lookup, useI18n, type I18n } from "../i18n/i18n";
import { Mark, type Tone } from "../ui/mark";

const TONE: Record<Command["state"], Tone> = {
  awaiting_approval: "warn",
  queued: "off",
  received: "off",
  written: "good",
  confirmed: "good",
  not_effective: "bad",
  refused: "bad",
  expired: "warn",
  rejected: "off",
  cancelled: "off",
  relinquished: "off",
};

/** Nothing of it stands at the device, and nothing will. */
export const isOver = (state: Command["state"]): boolean =>
  ["refused", "expired", "rejected", "cancelled", "relinquished"].includes(state);

export function CommandMark({ command }: { command: Command }) {
  const i18n = useI18n();
  const { t } = i18n;
  const reason = command.reason && reasonText(command.reason, i18n);
  return (
    <span>
      <Mark tone={TONE[command.state] ?? "off"}>{t(`command.state.${command.state}`)}</Mark>
      {command.given_up && !isOver(command.state) && (
        <span className="st-quiet st-small"> {t("command.given_up")}</span>
      )}
      {reason && <div className="st-quiet st-small">{reason}</div>}
    </span>
  );
}

/** A word of a newer gateway is shown as it is. */
export const reasonText = (reason: string, { language }: I18n): string =>
  lookup(language, `command.reason.${reason}`) ?? reason;

interface Shape {
  unit: string;
  decimals: number;
  labels: { code: number; names: { zh: string; en: string } }[];
}

/** A value with its unit, or its label. */
export function valueText(point: Shape, value: number | null | undefined, { name }: I18n): string {
  if (value === null || value === undefined) return NO_VALUE;
  const label = point.labels.find((l) => l.code === value);
  if (label) return name(label.names);
  return `${formatNumber(value, point.decimals)} ${unitSymbol(point.unit)}`.trim();
}
