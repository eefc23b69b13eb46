// Without a mouse, and with a role that may not do everything.
import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "@playwright/test";

import { enter } from "./enter";

test("each page has a title, and who goes to it by keyboard stands in it", async ({ page }) => {
  await enter(page);
  await expect(page).toHaveTitle("Overview · 管家 Steward");
  await page.locator(".st-nav-side").getByRole("link", { name: "Gateways" }).focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveTitle("Gateways · 管家 Steward");
  await expect(page.locator("#main")).toBeFocused();
  await page.locator(".st-nav-side").getByRole("link", { name: "Devices" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.locator("#main")).toBeFocused();
  // Who goes through the tree stays in it.
  const node = page.locator("[data-node^='device:'] .st-node-name").first();
  const name = (await node.textContent()) ?? "";
  await node.click();
  await expect(page).toHaveTitle(`${name} · 管家 Steward`);
  expect(await page.evaluate(() => document.activeElement?.closest(".st-tree") != null)).toBe(true);
});

test("the palette leads to a device by keys alone", async ({ page }) => {
  await enter(page);
  await page.goto("/devices");
  const name = (await page.locator("[data-node^='device:'] .st-node-name").first().textContent()) ?? "";
  await page.keyboard.press("Control+k");
  const box = page.getByRole("combobox", { name: /Search devices/ });
  await expect(box).toBeFocused();
  await box.pressSequentially(name);
  const first = page.getByRole("option").first();
  await expect(first).toContainText(name);
  await expect(first).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await expect(first).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("Enter");
  await expect(page).toHaveTitle(`${name} · 管家 Steward`);
  await expect(box).toHaveCount(0);
});

test("a viewer learns why they may not, and axe finds nothing there", async ({ page, browser }) => {
  await enter(page);
  const user = `viewer-${Date.now()}`;
  const password = "pumps-are-quiet-today";
  const made = await page.request.post("/api/v1/users", {
    data: { user, name: "Viewer", role: "viewer", password },
  });
  expect(made.ok()).toBe(true);
  const context = await browser.newContext();
  const theirs = await context.newPage();
  await theirs.goto("/login?to=/gateways");
  await theirs.locator("#user").fill(user);
  await theirs.locator("#password").fill(password);
  await theirs.keyboard.press("Enter");
  const enrol = theirs.getByRole("button", { name: /Enrol gateway/ });
  await enrol.focus();
  await expect(theirs.getByRole("tooltip")).toHaveText("Only engineers and administrators may do this");
  await theirs.keyboard.press("Enter");
  await expect(theirs.locator(".ant-modal-container")).toHaveCount(0);
  for (const path of ["/gateways", "/sites", "/users", "/about"]) {
    await theirs.goto(path);
    await expect(theirs.locator("#main h1")).toBeVisible();
    const { violations } = await new AxeBuilder({ page: theirs }).withTags(["wcag2a", "wcag2aa"]).analyze();
    expect(violations.map((v) => `${path}: ${v.id}: ${v.nodes[0]?.html}`)).toEqual([]);
  }
  await context.close();
});
