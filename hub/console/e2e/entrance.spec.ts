import { expect, test } from "@playwright/test";

import { enter, PASSWORD, USER, watch } from "./enter";

test("a stranger is asked to log in and then comes where they wanted to go", async ({ page }) => {
  await page.goto("/gateways");
  await expect(page).toHaveURL(/\/login\?to=\/gateways/);
  await page.locator("#user").fill(USER);
  await page.locator("#password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/gateways$/);
});

test("fault: a wrong password says what to do", async ({ page }) => {
  await page.goto("/login");
  // A name of its own: the tests' own account must not be locked by this.
  await page.locator("#user").fill("nobody-of-that-name");
  await page.locator("#password").fill("this is not the password");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText(/wrong.*administrator/is);
  await expect(page).toHaveURL(/\/login/);
});

test("who logs out is out", async ({ page }) => {
  await enter(page);
  await page.getByRole("button", { name: /^Account/ }).click();
  await page.getByRole("button", { name: "Log out", exact: true }).click();
  await expect(page).toHaveURL(/\/login/);
  await page.goto("/");
  await expect(page).toHaveURL(/\/login/);
});

test("an address that leads nowhere has a way out", async ({ page }) => {
  const seen = watch(page);
  await enter(page);
  await page.goto("/no/such/page");
  await page.getByRole("link", { name: "Back to overview" }).click();
  await expect(page.locator("h1")).toHaveText("Overview");
  expect(seen.faults).toEqual([]);
});
