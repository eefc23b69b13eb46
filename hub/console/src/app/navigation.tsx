// Where one can go.
import {
  ApartmentOutlined,
  ControlOutlined,
  DashboardOutlined,
  EnvironmentOutlined,
  HddOutlined,
  InfoCircleOutlined,
  LineChartOutlined,
  TeamOutlined,
} from "@ant-design/icons";
import { Link } from "@tanstack/react-router";

import { useI18n } from "../i18n/i18n";

export function Navigation() {
  const { t } = useI18n();
  return (
    <>
      <Link to="/" activeOptions={{ exact: true }}>
        <DashboardOutlined /> {t("nav.overview")}
      </Link>
      <Link to="/devices" activeOptions={{ includeSearch: false }}>
        <ApartmentOutlined /> {t("nav.devices")}
      </Link>
      <Link to="/chart" activeOptions={{ includeSearch: false }}>
        <LineChartOutlined /> {t("nav.chart")}
      </Link>
      <Link to="/commands" activeOptions={{ includeSearch: false }}>
        <ControlOutlined /> {t("nav.commands")}
      </Link>
      <div className="st-nav-group">{t("nav.manage")}</div>
      <Link to="/gateways">
        <HddOutlined /> {t("nav.gateways")}
      </Link>
      <Link to="/sites">
        <EnvironmentOutlined /> {t("nav.sites")}
      </Link>
      <Link to="/users">
        <TeamOutlined /> {t("nav.users")}
      </Link>
      <Link to="/about">
        <InfoCircleOutlined /> {t("nav.about")}
      </Link>
    </>
  );
}
