// The frame of the pages before the log-in.
import type { ReactNode } from "react";

import { useI18n } from "../../i18n/i18n";
import { LanguageChoice, ThemeChoices } from "../../parts/look-choices";
import { useTitle } from "../../ui/title";
import "../../ui/page.css";
import "./entrance.css";

export function Entrance({ title, text, children }: { title: string; text: string; children: ReactNode }) {
  const { t } = useI18n();
  useTitle(title);
  return (
    <div className="st-entrance">
      <div className="st-entrance-tools">
        <LanguageChoice />
        <ThemeChoices />
      </div>
      <main className="st-panel st-entrance-box">
        <h1>
          <img src="/icon.svg" alt="" width={28} height={28} />
          {title}
        </h1>
        <p>{text}</p>
        {children}
      </main>
      <footer className="st-quiet st-small">{t("app.name")}</footer>
    </div>
  );
}
