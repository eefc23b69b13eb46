import { readFile } from "node:fs/promises";

import { expect, test } from "@playwright/test";

import { enter, openDevice, somePoints, watch } from "./enter";

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

test("a month of two points is drawn, zoomed, and its link shows the same", async ({ page }) => {
  const seen = watch(page);
  await enter(page);
  await openDevice(page);
  const points = await somePoints(page, 2);
  await page.goto(`/chart?points=${points.join(",")}`);
  await expect(page.locator(".st-legend-item")).toHaveCount(2);
  await page.getByText("30 d", { exact: true }).click();
  await expect(page).toHaveURL(/range=30d/);
  const chart = page.locator(".st-chart-area .u-over").first();
  await expect(chart).toBeVisible();
  await expect(page.locator(".st-chart-area")).not.toHaveAttribute("data-bucket", "0");

  const box = await chart.boundingBox();
  if (!box) throw new Error("the chart has a place");
  await page.mouse.move(box.x + box.width * 0.6, box.y + 60);
  await expect(page.locator(".st-chart-tip")).toBeVisible();
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.8, box.y + 60, { steps: 6 });
  await page.mouse.up();
  await expect(page).toHaveURL(/from=\d+&to=\d+|to=\d+.*from=\d+/);
  const zoomed = new URL(page.url()).searchParams;
  const span = Number(zoomed.get("to")) - Number(zoomed.get("from"));
  expect(span / 86_400_000).toBeGreaterThan(4);
  expect(span / 86_400_000).toBeLessThan(8);

  await page.reload();
  await expect(page.locator(".st-legend-item")).toHaveCount(2);
  expect(new URL(page.url()).searchParams.get("from")).toBe(zoomed.get("from"));
  await page.goBack();
  await expect(page).toHaveURL(/range=30d/);
  expect(seen.faults).toEqual([]);
});

test("a chart leaves as CSV and as a picture", async ({ page }) => {
  await enter(page);
  await openDevice(page);
  const [point] = await somePoints(page, 1);
  await page.goto(`/chart?points=${point}&range=1h`);
  await expect(page.locator(".st-chart-area canvas").first()).toBeVisible();

  await page.getByRole("button", { name: "CSV" }).click();
  const table = page.waitForEvent("download");
  await page.getByRole("link", { name: "Readings as they were taken" }).click();
  const text = await readFile(await (await table).path(), "utf8");
  expect(text.charCodeAt(0)).toBe(0xfeff);
  expect(text.trim().split(/\r?\n/).length).toBeGreaterThan(1);

  const picture = page.waitForEvent("download");
  await page.getByRole("button", { name: "PNG" }).click();
  const bytes = await readFile(await (await picture).path());
  expect(bytes.subarray(1, 4).toString()).toBe("PNG");
  expect(bytes.length).toBeGreaterThan(3000);
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
