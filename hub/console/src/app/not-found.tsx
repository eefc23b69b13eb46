// An address that leads nowhere.
import { Link } from "@tanstack/react-router";
import { Result } from "antd";

import { useI18n } from "../i18n/i18n";

export function NotFound() {
  const { t } = useI18n();
  return (
    <Result
      status="404"
      title={t("notfound.title")}
      subTitle={t("notfound.text")}
      extra={
        <Link to="/" className="ant-btn">
          {t("act.home")}
        </Link>
      }
    />
  );
}
