// A phone's window: what opens fits too, and a finger does what a mouse does.
import { expect, test, type Locator, type Page } from "@playwright/test";

import { drawn, enter, fitsItsWindow, gaugesOf } from "./enter";

test.use({ viewport: { width: 360, height: 740 }, hasTouch: true });

async function isInside(page: Page, what: Locator): Promise<void> {
  await expect(what).toBeVisible();
  const inside = async () => {
    const box = await what.boundingBox();
    return box !== null && box.x >= 0 && box.y >= 0 && box.x + box.width <= 360 && box.y + box.height <= 740;
  };
  await expect.poll(inside, { message: "what opened lies in the window" }).toBe(true);
  await fitsItsWindow(page);
}

test("what opens on the chart's page fits a window of 360 pixels", async ({ page }) => {
  await enter(page);
  const [point] = await gaugesOf(page, 1);
  await page.goto(`/chart?points=${point}&range=7d`);
  await expect(page.locator(".st-chart-area canvas").first()).toBeVisible();

  await page.locator(".st-range").click();
  await isInside(page, page.locator(".ant-picker-dropdown"));
  await page.locator(".ant-picker-dropdown .ant-picker-cell-today").click();
  await page.locator(".ant-picker-dropdown .ant-picker-time-panel-cell").first().click();
  await page.locator(".ant-picker-dropdown .ant-picker-ok button").click();
  await isInside(page, page.locator(".ant-picker-dropdown"));
  await page.keyboard.press("Escape");

  await page.locator(".st-picker").click();
  await page.locator(".st-picker input").pressSequentially("temp");
  await expect(page.locator(".ant-select-dropdown").getByText(/temp/i).first()).toBeVisible();
  await isInside(page, page.locator(".ant-select-dropdown"));
  await page.keyboard.press("Escape");

  await page.getByRole("button", { name: "CSV" }).click();
  await isInside(page, page.locator(".ant-dropdown"));
});

test("what opens elsewhere fits a window of 360 pixels", async ({ page }) => {
  await enter(page);
  await page.getByRole("button", { name: /^Account/ }).click();
  await isInside(page, page.locator(".ant-popover"));
  await page.getByRole("button", { name: "Change password" }).click();
  await isInside(page, page.locator(".ant-modal-container"));
  await page.goto("/gateways?enrol=1");
  await isInside(page, page.locator(".ant-modal-container"));
  await page.goto("/sites");
  await page.getByRole("button", { name: /Add place$/ }).click();
  await isInside(page, page.locator(".ant-modal-container"));
  await page.goto("/devices");
  await page.getByRole("button", { name: /Search devices/ }).click();
  await isInside(page, page.locator(".ant-modal-container"));
});

test("one finger pans the chart, two fingers zoom it", async ({ page }) => {
  await enter(page);
  const [point] = await gaugesOf(page, 1);
  const to = Date.now();
  const from = to - 86_400_000;
  await page.goto(`/chart?points=${point}&from=${from}&to=${to}`);
  await expect.poll(async () => (await drawn(page))[0]).toBeGreaterThan(0.5);
  const box = await page.locator(".u-over").first().boundingBox();
  if (!box) throw new Error("the chart has a place");
  const screen = await page.context().newCDPSession(page);
  const touch = (type: "touchStart" | "touchMove" | "touchEnd", ...shares: number[]) =>
    screen.send("Input.dispatchTouchEvent", {
      type,
      touchPoints: shares.map((share, id) => ({ x: box.x + box.width * share, y: box.y + 80, id })),
    });
  const windowNow = () => {
    const { searchParams } = new URL(page.url());
    return { from: Number(searchParams.get("from")), to: Number(searchParams.get("to")) };
  };
  await touch("touchStart", 0.2);
  for (const share of [0.3, 0.4, 0.5, 0.6, 0.7]) await touch("touchMove", share);
  await touch("touchEnd");
  await expect.poll(() => windowNow().to).toBeLessThan(to - 10 * 3_600_000);
  const panned = windowNow();
  expect(Math.abs(panned.to - panned.from - 86_400_000)).toBeLessThan(1000);

  await touch("touchStart", 0.4, 0.6);
  for (const by of [0.05, 0.1, 0.15, 0.2]) await touch("touchMove", 0.4 - by, 0.6 + by);
  await touch("touchEnd");
  await expect.poll(() => windowNow().to - windowNow().from).toBeLessThan(86_400_000 / 2.5);
  const zoomed = windowNow();
  expect(zoomed.from).toBeGreaterThan(panned.from);
  expect(zoomed.to).toBeLessThan(panned.to);
});
