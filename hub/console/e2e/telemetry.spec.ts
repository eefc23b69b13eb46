import { expect, test } from "@playwright/test";

import { enter, openDevice, watch } from "./enter";

test("the values of a device change by themselves", async ({ page }) => {
  const seen = watch(page);
  await enter(page);
  await openDevice(page);
  await expect(page.locator("[data-live=live]")).toBeVisible();
  const values = page.locator(".st-value[data-trust=yes]");
  const read = async () => (await values.allTextContents()).join("|");
  const before = await read();
  await expect.poll(read, { timeout: 20_000 }).not.toBe(before);
  await expect(page.locator(".ant-table-tbody time").first()).toHaveText(/just now|\d+ s ago/);
  expect(seen.faults).toEqual([]);
});

test("a gateway's page tells how it fares", async ({ page }) => {
  await enter(page);
  await page.goto("/gateways");
  await page.locator("tr", { hasText: "Online" }).getByRole("link").first().click();
  await expect(page.locator(".st-title-mark")).toHaveText("Online");
  await expect(page.getByText("Batches to send")).toBeVisible();
  await expect(page.getByText("Disk free")).toBeVisible();
  const lines = page.getByRole("table").filter({ hasText: "Load" });
  await expect(lines.locator("tbody tr.ant-table-row").first()).toContainText("%");
});

test("a new gateway gets a code that is shown once, with the command to run", async ({ page }) => {
  await enter(page);
  await page.goto("/gateways");
  await page.getByRole("button", { name: "Enrol gateway" }).click();
  await page.locator("#name").fill(`trial-${Date.now()}`);
  await page.getByRole("button", { name: "Make a code" }).click();
  await expect(page.getByText(/^STW-/)).toBeVisible();
  await expect(page.getByText(/steward-edge enrol .*STW-/)).toBeVisible();
  await expect(page.getByText(/expires in \d+:\d\d/)).toBeVisible();
});
