// Language and theme of this browser: kept in local storage, at first the browser's own.
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";

import { browserLanguage, I18nContext, makeI18n, type Language } from "../i18n/i18n";

export type ThemeChoice = "light" | "dark" | "system";

interface Preferences {
  language: Language;
  setLanguage: (language: Language) => void;
  theme: ThemeChoice;
  setTheme: (theme: ThemeChoice) => void;
  dark: boolean;
}

const PreferencesContext = createContext<Preferences | undefined>(undefined);

export function usePreferences(): Preferences {
  const preferences = useContext(PreferencesContext);
  if (!preferences) throw new Error("preferences are provided at the root");
  return preferences;
}

/** Storage may be forbidden or full; the page works without. */
const storage = {
  get(key: string): string | null {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set(key: string, value: string): void {
    try {
      localStorage.setItem(key, value);
    } catch {
      // The choice then lasts as long as the page.
    }
  },
};

// public/theme.js reads the same two before the first paint.
const LANGUAGE = "steward.language";
const THEME = "steward.theme";

function firstLanguage(): Language {
  const kept = storage.get(LANGUAGE);
  return kept === "zh" || kept === "en" ? kept : browserLanguage(navigator.languages);
}

function firstTheme(): ThemeChoice {
  const kept = storage.get(THEME);
  return kept === "light" || kept === "dark" ? kept : "system";
}

export function PreferencesProvider({ children }: { children: ReactNode }) {
  const [language, chooseLanguage] = useState(firstLanguage);
  const [theme, chooseTheme] = useState(firstTheme);
  const [systemDark, setSystemDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  const dark = theme === "system" ? systemDark : theme === "dark";

  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const onChange = () => setSystemDark(query.matches);
    query.addEventListener("change", onChange);
    return () => query.removeEventListener("change", onChange);
  }, []);
  useEffect(() => {
    const { dataset, style } = document.documentElement;
    dataset["theme"] = style.colorScheme = dark ? "dark" : "light";
  }, [dark]);
  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  }, [language]);

  const preferences = useMemo<Preferences>(
    () => ({
      language,
      setLanguage: (next) => {
        storage.set(LANGUAGE, next);
        chooseLanguage(next);
      },
      theme,
      setTheme: (next) => {
        storage.set(THEME, next);
        chooseTheme(next);
      },
      dark,
    }),
    [language, theme, dark],
  );
  const i18n = useMemo(() => makeI18n(language), [language]);
  return (
    <PreferencesContext value={preferences}>
      <I18nContext value={i18n}>{children}</I18nContext>
    </PreferencesContext>
  );
}
