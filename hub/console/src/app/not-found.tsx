// An address that leads nowhere.
import { Result } from "antd";

import { useI18n } from "../i18n/i18n";
import { LinkButton } from "../parts/link-button";
import { useTitle } from "../ui/title";

export function NotFound() {
  const { t } = useI18n();
  useTitle(t("notfound.title"));
  return (
    <Result
      status="404"
      title={<h1 className="st-result-title">{t("notfound.title")}</h1>}
      subTitle={t("notfound.text")}
      extra={<LinkButton to="/">{t("act.home")}</LinkButton>}
    />
  );
}
