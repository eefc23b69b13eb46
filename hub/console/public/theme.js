// Before the first paint: the theme and language that parts/preferences.tsx has kept, so that a dark page does not
// begin white. A file of its own, for the page's policy lets no script run that stands within it.
(() => {
  const root = document.documentElement;
  const kept = (name) => {
    try {
      return localStorage.getItem(`steward.${name}`);
    } catch {
      return null;
    }
  };
  const theme = kept("theme");
  const isDark =
    theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = isDark ? "dark" : "light";
  root.style.colorScheme = isDark ? "dark" : "light";
  if (kept("language") === "en") root.lang = "en";
})();
