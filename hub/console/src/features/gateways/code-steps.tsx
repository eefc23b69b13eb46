// The one-time code, the command that uses it, the time that is left, and word of the gateway's coming.
import { useQuery } from "@tanstack/react-query";
import { Alert, Button, Result } from "antd";

import { gatewayQuery } from "../../api/queries";
import type { Gateway } from "../../api/types";
import { useI18n } from "../../i18n/i18n";
import { useNow } from "../../live/now";
import { LinkButton } from "../../parts/link-button";
import { CopyBlock } from "../../ui/copy";
import "./gateways.css";

export interface Code {
  gateway: Gateway;
  code: string;
  expires_at: string;
  hub_address?: string | null;
  hub_port: number;
}

const ASK_EVERY_MS = 2000;

export function CodeSteps({ code, again }: { code: Code; again: () => void }) {
  const { t } = useI18n();
  const now = useNow();
  const { data } = useQuery({ ...gatewayQuery(code.gateway.id), refetchInterval: ASK_EVERY_MS });
  const left = Date.parse(code.expires_at) - now;
  // A renewed code is for a gateway that was there before: what counts is an enrolment after this code.
  const before = code.gateway.enrolled_at ?? "";
  const came = data !== undefined && (data.enrolled_at ?? "") !== before && data.state !== "pending";
  if (came) {
    return (
      <Result
        status="success"
        title={t("enrol.came.title", { name: data.name })}
        subTitle={t("enrol.came.text")}
        extra={
          <LinkButton to="/gateways/$id" params={{ id: data.id }} type="primary">
            {t("enrol.came.open")}
          </LinkButton>
        }
      />
    );
  }
  if (left <= 0) {
    return (
      <Alert
        type="warning"
        showIcon
        title={t("enrol.expired")}
        action={<Button onClick={again}>{t("enrol.code.new")}</Button>}
      />
    );
  }
  const seconds = Math.floor(left / 1000);
  const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return (
    <ol className="st-steps">
      <li>
        <div>{t("enrol.step.code")}</div>
        <CopyBlock text={code.code} copy={t("act.copy")} copied={t("act.copied")} />
        <div className="st-quiet st-small st-num">{t("enrol.left", { time: clock })}</div>
      </li>
      <li>
        <div>{t("enrol.step.file")}</div>
        <CopyBlock
          text={`[hub]\naddress = "${code.hub_address ?? `${location.hostname}:${code.hub_port}`}"`}
          copy={t("act.copy")}
          copied={t("act.copied")}
        />
        {!code.hub_address && <div className="st-quiet st-small">{t("enrol.step.file.help")}</div>}
      </li>
      <li>
        <div>{t("enrol.step.command")}</div>
        <CopyBlock
          text={`steward-edge enrol --config /etc/steward/edge.toml ${code.code}`}
          copy={t("act.copy")}
          copied={t("act.copied")}
        />
        <div className="st-quiet st-small">{t("enrol.step.command.help")}</div>
      </li>
      <li>
        <div role="status">{t("enrol.step.wait")}</div>
      </li>
    </ol>
  );
}
