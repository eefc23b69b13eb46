// Language and theme, side by side: on the account menu and on the way in.
import { Segmented } from "antd";

import { useI18n } from "../i18n/i18n";
import { usePreferences, type ThemeChoice } from "./preferences";
import type { Language } from "../i18n/i18n";

export function LanguageChoice() {
  const { t } = useI18n();
  const { language, setLanguage } = usePreferences();
  return (
    <Segmented<Language>
      size="small"
      aria-label={t("account.language")}
      value={language}
      onChange={setLanguage}
      options={[
        { value: "zh", label: "中文" },
        { value: "en", label: "English" },
      ]}
    />
  );
}

export function ThemeChoices() {
  const { t } = useI18n();
  const { theme, setTheme } = usePreferences();
  return (
    <Segmented<ThemeChoice>
      size="small"
      aria-label={t("account.theme")}
      value={theme}
      onChange={setTheme}
      options={[
        { value: "light", label: t("theme.light") },
        { value: "dark", label: t("theme.dark") },
        { value: "system", label: t("theme.system") },
      ]}
    />
  );
}
