// A session ends: the page notices by itself, and leads back to where one was.
import { expect, test, type Page } from "@playwright/test";

import { enter, PASSWORD, USER } from "./enter";

async function logInAgain(page: Page): Promise<void> {
  await page.locator("#user").fill(USER);
  await page.locator("#password").fill(PASSWORD);
  await page.keyboard.press("Enter");
}

/** Only the session itself can tell that it is over: what the page asks for besides does not come through. */
const withoutAnswers = (page: Page) =>
  page.route(/\/api\/v1\/(?!session)/, (route) =>
    route.request().method() === "GET" ? route.abort() : route.continue(),
  );

test("a session that was ended elsewhere leads to the log-in and back", async ({ page }) => {
  await enter(page);
  await page.goto("/devices?q=chiller");
  await expect(page.locator("[data-live=live]")).toBeVisible();
  await withoutAnswers(page);
  const ended = await page.request.post("/api/v1/session/end-all");
  expect(ended.ok()).toBe(true);
  await expect(page).toHaveURL(/\/login\?to=/, { timeout: 40_000 });
  await page.unrouteAll();
  await logInAgain(page);
  await expect(page).toHaveURL(/\/devices\?q=chiller$/);
  await expect(page.locator("[data-live=live]")).toBeVisible();
});

test("a change that comes after the session's end leads to the log-in too", async ({ page, context }) => {
  await enter(page);
  await page.goto("/sites");
  await page.getByRole("button", { name: /Add place$/ }).click();
  await page.locator("#name").fill("never made");
  await withoutAnswers(page);
  await context.clearCookies();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page).toHaveURL(/\/login\?to=\/sites$/);
});

test("a page that is left alone does not keep its session alive", async ({ page }) => {
  await page.clock.install();
  await enter(page);
  const next = () => page.waitForRequest(/\/api\/v1\/gateways\?/);
  await page.mouse.move(10, 10);
  const first = next();
  await page.clock.fastForward(35_000);
  expect((await first).headers()["steward-background"]).toBeUndefined();
  const later = next();
  await page.clock.fastForward(70_000);
  expect((await later).headers()["steward-background"]).toBe("1");
  await page.mouse.move(200, 200);
  const again = next();
  await page.clock.fastForward(35_000);
  expect((await again).headers()["steward-background"]).toBeUndefined();
});

test("the live stream is taken up again, and the page says so meanwhile", async ({ page }) => {
  await enter(page);
  await page.route(/\/api\/v1\/live/, (route) => route.abort());
  await page.goto("/devices");
  await expect(page.locator("[data-live=lost]")).toHaveText("Reconnecting");
  await expect(page.getByText(/live connection to the hub is down; reconnecting/)).toBeVisible();
  await page.unroute(/\/api\/v1\/live/);
  await expect(page.locator("[data-live=live]")).toBeVisible();
  await expect(page.getByText(/live connection to the hub is down/)).toHaveCount(0);
});
