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

test("fault: a wrong password says what to do, in both languages", async ({ page }) => {
  await page.goto("/login");
  // A name of its own: the tests' own account must not be locked by this.
  await page.locator("#user").fill("nobody-of-that-name");
  await page.locator("#password").fill("this is not the password");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText(/wrong.*administrator/is);
  await expect(page).toHaveURL(/\/login/);
  await expect(page.locator("#password")).toBeFocused();
  await page.getByText("中文").click();
  await expect(page.getByRole("alert")).toContainText("用户名或密码不对");
  await expect(page).toHaveTitle("登录管家 · 管家 Steward");
});

test("a new hub asks for its first administrator, and one that has one says so", async ({ page }) => {
  await page.route("/api/v1/setup", (route) =>
    route.request().method() === "GET" ? route.fulfill({ json: { needed: true } }) : route.continue(),
  );
  await page.goto("/");
  await expect(page).toHaveURL(/\/setup$/);
  await expect(page.getByRole("heading", { name: "Welcome to Steward" })).toBeVisible();
  await page.locator("#name").fill("First Administrator");
  await page.locator("#password").fill("short");
  await page.locator("#repeat").fill("other");
  await page.getByRole("button", { name: "Create and enter" }).click();
  await expect(page.getByText("At least 12 characters", { exact: true })).toBeVisible();
  await expect(page.getByText("The two passwords differ")).toBeVisible();
  await page.locator("#password").fill("boiler-and-pump-7");
  await page.locator("#repeat").fill("boiler-and-pump-7");
  await page.getByRole("button", { name: "Create and enter" }).click();
  await expect(page.getByRole("alert")).toContainText("An administrator exists already");
  await page.getByText("中文").click();
  await expect(page.getByRole("alert")).toContainText("已经创建过管理员了");
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
