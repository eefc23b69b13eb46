// The browser's tests, on the system's Chromium, against a real hub with data: STEWARD_URL, STEWARD_USER,
// STEWARD_PASSWORD say where it is and who may enter; STEWARD_PLANT_DIR where the plant room runs that a test breaks.
import { defineConfig } from "@playwright/test";

import { executablePath } from "./scripts/chromium.mjs";

export default defineConfig({
  testDir: "e2e",
  testMatch: "*.spec.ts",
  timeout: 60_000,
  expect: { timeout: 15_000 },
  workers: 1,
  forbidOnly: true,
  reporter: [["list"]],
  use: {
    baseURL: process.env["STEWARD_URL"] ?? "http://127.0.0.1:8080",
    locale: "en-GB",
    viewport: { width: 1440, height: 900 },
    trace: "retain-on-failure",
    launchOptions: {
      executablePath,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
