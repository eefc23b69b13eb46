import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";

import { enter, fitsItsWindow, openDevice, somePoints } from "./enter";

test("language and theme change at once and stay", async ({ page }) => {
  await enter(page);
  await page.getByRole("button", { name: /^Account/ }).click();
  await page.locator(".st-account").getByText("中文").click();
  await expect(page.locator("h1")).toHaveText("总览");
  await page.locator(".st-account").getByText("深色").click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.reload();
  await expect(page.locator("h1")).toHaveText("总览");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect(page.locator("html")).toHaveAttribute("lang", "zh-CN");
});

async function mainPages(page: Page): Promise<string[]> {
  await openDevice(page);
  const device = new URL(page.url()).pathname;
  const points = await somePoints(page, 2);
  await page.goto("/gateways");
  const gateway =
    (await page.locator(".ant-table-tbody a[href^='/gateways/']").first().getAttribute("href")) ??
    "/gateways";
  return [
    "/",
    "/devices",
    device,
    `/chart?points=${points.join(",")}`,
    "/gateways",
    gateway,
    "/sites",
    "/users",
    "/about",
  ];
}

async function settled(page: Page): Promise<void> {
  await expect(page.locator("#main h1:visible")).toBeVisible();
  await expect(page.locator("#main [aria-busy=true], #main .ant-skeleton")).toHaveCount(0);
}

for (const theme of ["light", "dark"] as const) {
  test(`axe finds nothing on the main pages in ${theme}`, async ({ page }) => {
    test.setTimeout(180_000);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await enter(page);
    for (const path of await mainPages(page)) {
      await page.goto(path);
      await settled(page);
      const { violations } = await new AxeBuilder({ page })
        .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"])
        .analyze();
      const found = violations.map(
        (v) => `${path}: ${v.id}: ${v.nodes.map((n) => n.html.slice(0, 140)).join(" | ")}`,
      );
      expect(found).toEqual([]);
    }
  });
}

test("every main page fits a window of 360 pixels", async ({ page }, info) => {
  test.setTimeout(180_000);
  await enter(page);
  const paths = await mainPages(page);
  await page.setViewportSize({ width: 360, height: 740 });
  for (const path of paths) {
    await page.goto(path);
    await settled(page);
    await fitsItsWindow(page);
    await info.attach(path, { body: await page.screenshot(), contentType: "image/png" });
  }
  await page.getByRole("button", { name: "Open menu" }).click();
  await page.locator(".st-nav-drawer").getByRole("link", { name: "Gateways" }).click();
  await expect(page.locator("h1")).toHaveText("Gateways");
  await expect(page.locator(".st-card").first()).toBeVisible();
});
