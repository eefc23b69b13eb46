// The states of gateways, devices and values in words.
import { Tooltip } from "antd";

import type { GatewayState, Point } from "../api/types";
import { qualityNow } from "../format/quality";
import { ago, instant } from "../format/time";
import { unitSymbol } from "../format/unit";
import { formatValue, NO_VALUE } from "../format/value";
import { lookup, useI18n } from "../i18n/i18n";
import { useNow } from "../live/now";
import { Mark, type Tone } from "../ui/mark";
import { deviceState, type DeviceState } from "./reach";
import "./marks.css";

const GATEWAY_TONE: Record<GatewayState, Tone> = {
  online: "good",
  offline: "bad",
  pending: "off",
  revoked: "off",
};
export const gatewayTone = (state: string): Tone => GATEWAY_TONE[gatewayState(state)];

/** A state that a newer hub may know is shown as the least that is certain. */
export const gatewayState = (state: string): GatewayState =>
  Object.hasOwn(GATEWAY_TONE, state) ? (state as GatewayState) : "offline";

export function GatewayMark({ state }: { state: string }) {
  const { t } = useI18n();
  return <Mark tone={gatewayTone(state)}>{t(`gateway.state.${gatewayState(state)}`)}</Mark>;
}

export const DEVICE_TONE: Record<DeviceState, Tone> = {
  unused: "off",
  unknown: "off",
  line_down: "warn",
  silent: "warn",
  answering: "good",
};

export function DeviceMark(props: {
  device: Parameters<typeof deviceState>[0];
  gateway: Parameters<typeof deviceState>[1];
}) {
  const { t } = useI18n();
  const state = deviceState(props.device, props.gateway);
  return <Mark tone={DEVICE_TONE[state]}>{t(`device.state.${state}`)}</Mark>;
}

/** How long ago, ticking; the instant itself as the tip. */
export function Age({ at }: { at: string | null | undefined }) {
  const { t } = useI18n();
  const now = useNow();
  if (!at) return <span className="st-quiet">{NO_VALUE}</span>;
  return (
    <Tooltip title={instant(at)}>
      <time dateTime={at} className="st-num st-nowrap">
        {ago(at, now, t)}
      </time>
    </Tooltip>
  );
}

/** A point's latest value with its unit; greyed where it may not be trusted. `away`: its gateway is. */
export function LiveValueText({ point, away }: { point: Point; away: boolean }) {
  const { name } = useI18n();
  const now = useNow();
  const { latest } = point;
  const trust = latest !== null && latest !== undefined && qualityNow(latest, point, now, away) === "good";
  const unit = unitSymbol(point.unit);
  return (
    <span className="st-value" data-trust={trust ? "yes" : "no"} data-point={point.id}>
      {formatValue(point, latest?.value, name)}
      {unit && latest?.value != null && <span className="st-value-unit">{unit}</span>}
    </span>
  );
}

/** How far the value may be trusted, and why not. */
export function QualityMark({ point, away }: { point: Point; away: boolean }) {
  const { latest } = point;
  const { t, language } = useI18n();
  const now = useNow();
  if (!latest) return <Mark tone="off">{t("quality.none")}</Mark>;
  const word = qualityNow(latest, point, now, away);
  const tone: Tone = word === "good" ? "good" : word === "stale" || word === "no_value" ? "off" : "warn";
  return (
    <Tooltip title={lookup(language, `quality.why.${word === "stale" && away ? "away" : word}`)}>
      <span>
        <Mark tone={tone}>{t(`quality.${word}`)}</Mark>
      </span>
    </Tooltip>
  );
}

/** What lasts has words for its beginning and its end; anything else is over as soon as it is told. */
export function EventText({ kind, active }: { kind: string; active: boolean }) {
  const { t, language } = useI18n();
  const words =
    lookup(language, `event.${kind}.${active ? "begin" : "end"}`) ?? lookup(language, `event.${kind}`);
  return <>{words ?? t("event.other", { kind })}</>;
}
