// The way in, and faults that no page may have.
import { expect, type Page } from "@playwright/test";

export const USER = process.env["STEWARD_USER"] ?? "admin";
export const PASSWORD = process.env["STEWARD_PASSWORD"] ?? "admin";

/** Collects what the page throws or asks of other hosts; both must stay empty. */
export function watch(page: Page): { faults: string[] } {
  const seen = { faults: [] as string[] };
  page.on("pageerror", (error) => seen.faults.push(`thrown: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && /Content.Security.Policy/i.test(message.text()))
      seen.faults.push(message.text());
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (
      url.protocol.startsWith("http") &&
      url.origin !== new URL(page.url(), request.url()).origin &&
      page.url() !== "about:blank"
    ) {
      seen.faults.push(`asked another host: ${request.url()}`);
    }
  });
  return seen;
}

export async function enter(page: Page): Promise<void> {
  await page.goto("/login");
  await page.locator("#user").fill(USER);
  await page.locator("#password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await expect(page.locator("h1")).toHaveText(/Overview|总览/);
}

/** Opens the first device whose points have live numbers. */
export async function openDevice(page: Page): Promise<void> {
  await page.goto("/devices");
  const devices = page.locator(".ant-table-tbody a[href^='/devices/']");
  await expect(devices.first()).toBeVisible();
  for (const href of await devices.evaluateAll((links) => links.map((a) => a.getAttribute("href") ?? ""))) {
    await page.goto(href);
    const trusted = page.locator(".st-value[data-trust=yes]");
    const found = await expect(trusted.first())
      .toBeVisible({ timeout: 12_000 })
      .then(() => true)
      .catch(() => false);
    if (found && (await trusted.count()) >= 3) return;
  }
  throw new Error("no device has live values");
}

/** The ids of some points of the open device that can be drawn. */
export async function somePoints(page: Page, how_many: number): Promise<string[]> {
  const links = page.locator(".ant-table-tbody a[href*='/chart?points=']");
  await expect(links.first()).toBeVisible();
  const hrefs = await links.evaluateAll((all) => all.map((a) => a.getAttribute("href") ?? ""));
  return hrefs.slice(0, how_many).map((href) => /points=(\d+)/.exec(href)?.[1] ?? "");
}

export async function fitsItsWindow(page: Page): Promise<void> {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(wider, `${page.url()} scrolls sideways`).toBeLessThanOrEqual(0);
}
