// Ant Design's tokens, chosen so that every text meets WCAG AA on its ground in both themes.
import { theme, type ThemeConfig } from "antd";

const FONT =
  'system-ui, -apple-system, "Segoe UI", "PingFang SC", "HarmonyOS Sans SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
const MONO =
  'ui-monospace, "SF Mono", "Cascadia Mono", Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace';

const shared = {
  fontFamily: FONT,
  fontFamilyCode: MONO,
  fontSize: 14,
  fontSizeSM: 12,
  borderRadius: 6,
  controlHeight: 32,
  motionDurationMid: "0.12s",
  motionDurationSlow: "0.16s",
};

export const light: ThemeConfig = {
  token: {
    ...shared,
    colorPrimary: "#0958d9",
    colorLink: "#0958d9",
    colorTextTertiary: "rgba(0,0,0,.62)",
    colorTextDescription: "rgba(0,0,0,.62)",
    colorTextPlaceholder: "rgba(0,0,0,.6)",
    colorError: "#cf1322",
    colorSuccess: "#237804",
    colorWarning: "#ad4e00",
    colorBgLayout: "#f4f6f9",
    colorBorderSecondary: "#e6e9ef",
  },
  components: {
    Table: { headerBg: "#f8f9fb", cellPaddingBlockSM: 7, cellPaddingInlineSM: 12 },
    Tree: { indentSize: 14 },
  },
};

export const dark: ThemeConfig = {
  algorithm: theme.darkAlgorithm,
  token: {
    ...shared,
    colorPrimary: "#4c9aff",
    colorLink: "#6ab0ff",
    colorTextLightSolid: "#06121f",
    colorTextTertiary: "rgba(255,255,255,.65)",
    colorTextDescription: "rgba(255,255,255,.65)",
    colorTextPlaceholder: "rgba(255,255,255,.6)",
    colorError: "#ff7875",
    colorSuccess: "#73d13d",
    colorWarning: "#ffb84d",
    colorBgLayout: "#0e1217",
    colorBgContainer: "#161b22",
    colorBgElevated: "#1c222b",
    colorBorderSecondary: "#262d38",
    colorBorder: "#3a4352",
  },
  components: {
    Table: { headerBg: "#1b212a", cellPaddingBlockSM: 7, cellPaddingInlineSM: 12 },
    Tree: { indentSize: 14 },
  },
};
