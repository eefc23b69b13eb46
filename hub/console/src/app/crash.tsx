// A page that could not be drawn or reached: what to do, and a way out.
import { useRouter } from "@tanstack/react-router";
import { Button, Result } from "antd";

import { isProblem } from "../api/problem";
import { useI18n } from "../i18n/i18n";
import { faultText } from "../parts/fault";
import { LinkButton } from "../parts/link-button";
import { useTitle } from "../ui/title";

export function Crash({ error, reset }: { error: unknown; reset: () => void }) {
  const i18n = useI18n();
  const { t } = i18n;
  const router = useRouter();
  useTitle(t("crash.title"));
  const again = () => {
    reset();
    void router.invalidate();
  };
  return (
    <Result
      status={isProblem(error, 404) ? "404" : "warning"}
      title={<h1 className="st-result-title">{t("crash.title")}</h1>}
      subTitle={
        isProblem(error)
          ? faultText(error, i18n)
          : t("crash.text", { detail: error instanceof Error ? error.message : String(error) })
      }
      extra={[
        <Button key="again" type="primary" onClick={again}>
          {t("act.retry")}
        </Button>,
        <LinkButton key="home" to="/">
          {t("act.home")}
        </LinkButton>,
      ]}
    />
  );
}
