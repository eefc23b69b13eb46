// The frame around every page: navigation, search, the live stream's state, the account.
import { MenuOutlined, SearchOutlined } from "@ant-design/icons";
import { Link, Outlet, useLocation, useRouter } from "@tanstack/react-router";
import { Button, Drawer } from "antd";
import { useEffect, useState } from "react";

import { useI18n } from "../i18n/i18n";
import { LiveProvider, useStreamState } from "../live/live";
import { Boundary } from "../ui/boundary";
import { Mark, type Tone } from "../ui/mark";
import { AccountMenu } from "./account-menu";
import { Navigation } from "./navigation";
import { Palette } from "./palette";
import { Crash } from "./crash";
import "./shell.css";

export function Shell() {
  return (
    <LiveProvider>
      <Frame />
    </LiveProvider>
  );
}

function Frame() {
  const { t } = useI18n();
  const [menu, setMenu] = useState(false);
  const [search, setSearch] = useState(false);
  const { pathname } = useLocation();
  const state = useStreamState();

  const router = useRouter();
  useEffect(
    () =>
      router.subscribe("onRendered", ({ pathChanged, fromLocation }) => {
        // Who went through the navigation stands at the new page; who works within the page stays where they are.
        const { activeElement } = document;
        const isWithin = activeElement?.closest("#main, [role=dialog]") && activeElement.id !== "main";
        if (fromLocation && pathChanged && !isWithin) {
          document.getElementById("main")?.focus({ preventScroll: true });
        }
      }),
    [router],
  );
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && !event.isComposing) {
        event.preventDefault();
        setSearch(true);
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);

  return (
    <div className="st-shell">
      <a className="st-skip" href="#main">
        {t("shell.skip")}
      </a>
      <Link to="/" className="st-brand st-brand-side">
        <img src="/icon.svg" alt="" />
        {t("app.name")}
      </Link>
      <header className="st-bar">
        <Button
          className="st-menu-button"
          type="text"
          icon={<MenuOutlined />}
          aria-label={t("shell.menu")}
          onClick={() => setMenu(true)}
        />
        <Button className="st-search-button" onClick={() => setSearch(true)} aria-label={t("shell.search")}>
          <span>
            <SearchOutlined /> <span className="st-search-text">{t("shell.search")}</span>
          </span>
          <span className="st-kbd" aria-hidden="true">
            Ctrl K
          </span>
        </Button>
        <span className="st-bar-space" />
        <LiveState />
        <AccountMenu />
      </header>
      <nav className="st-nav st-nav-side" aria-label={t("shell.navigation")}>
        <Navigation />
      </nav>
      <main className="st-main" id="main" tabIndex={-1}>
        {state === "lost" && (
          <div className="st-banner" role="status">
            {t("live.lost.long")}
          </div>
        )}
        <Boundary at={pathname} fallback={(error, again) => <Crash error={error} reset={again} />}>
          <Outlet />
        </Boundary>
      </main>
      <Drawer open={menu} onClose={() => setMenu(false)} placement="left" size={260} title={t("app.name")}>
        <nav className="st-nav-drawer" aria-label={t("shell.navigation")} onClick={() => setMenu(false)}>
          <Navigation />
        </nav>
      </Drawer>
      <Palette open={search} close={() => setSearch(false)} />
    </div>
  );
}

const TONES: Record<ReturnType<typeof useStreamState>, Tone> = {
  live: "good",
  connecting: "off",
  off: "off",
  lost: "warn",
};

function LiveState() {
  const { t } = useI18n();
  const state = useStreamState();
  return (
    <span className="st-live" role="status" data-live={state}>
      <Mark tone={TONES[state]} title={t(`live.${state}`)}>
        <span className="st-live-word">{t(`live.${state}`)}</span>
      </Mark>
    </span>
  );
}
