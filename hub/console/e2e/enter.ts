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

export interface Items {
  items: unknown[];
}

/** The hub's own answer, changed on its way. */
export async function change<T>(page: Page, address: RegExp, how: (body: T) => void): Promise<void> {
  await page.route(address, async (route) => {
    const answer = await route.fetch();
    const json = (await answer.json()) as T;
    how(json);
    await route.fulfill({ response: answer, json });
  });
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

export interface ApiPoint {
  id: number;
  device: string;
  key: string;
  unit: string;
  kind: string;
  title: { zh: string; en: string };
}

export async function allPoints(page: Page): Promise<ApiPoint[]> {
  const answer = await page.request.get("/api/v1/points?limit=500");
  const { items, next } = (await answer.json()) as { items: ApiPoint[]; next: string | null };
  if (next !== null) throw new Error("the plant has more points than are looked at");
  return items;
}

export async function pointOf(page: Page, kind: string): Promise<ApiPoint> {
  const point = (await allPoints(page)).find((p) => p.kind === kind);
  if (!point) throw new Error(`the plant has no ${kind}`);
  return point;
}

/** Gauges of different units, so that they need several lanes. */
export async function gaugesOf(page: Page, how_many: number): Promise<number[]> {
  const byUnit = new Map<string, number>();
  for (const p of await allPoints(page)) {
    if (p.kind === "gauge" && !byUnit.has(p.unit)) byUnit.set(p.unit, p.id);
  }
  if (byUnit.size < how_many) throw new Error(`the plant has gauges of ${byUnit.size} units only`);
  return [...byUnit.values()].slice(0, how_many);
}

/** For each line of the legend: in which share of the chart's columns its colour is drawn. */
export async function drawn(page: Page): Promise<number[]> {
  // Before the legend is there, nothing is drawn.
  await expect(page.locator(".st-legend-item").first()).toBeVisible();
  return (await columns(page)).map((line) => line.filter(Boolean).length / line.length);
}

/** For each line of the legend: for each column of the chart, whether its colour is drawn there. */
export async function columns(page: Page): Promise<boolean[][]> {
  return page.evaluate(() => {
    const swatches = [...document.querySelectorAll(".st-legend-item > .st-swatch")];
    return swatches.map((swatch) => {
      const [r = 0, g = 0, b = 0] = (getComputedStyle(swatch).color.match(/\d+/g) ?? []).map(Number);
      let found: boolean[] = [];
      for (const plot of document.querySelectorAll(".st-chart-area .uplot")) {
        const canvas = plot.querySelector("canvas");
        const over = plot.querySelector(".u-over");
        const pen = canvas?.getContext("2d");
        if (!canvas || !over || !pen) continue;
        const [whole, part] = [canvas.getBoundingClientRect(), over.getBoundingClientRect()];
        const ratio = canvas.width / whole.width;
        const [wide, high] = [Math.floor(part.width * ratio), Math.floor(part.height * ratio)];
        const { data } = pen.getImageData(
          Math.round((part.left - whole.left) * ratio),
          Math.round((part.top - whole.top) * ratio),
          wide,
          high,
        );
        const here = Array.from({ length: wide }, (_, x) => {
          for (let y = 0; y < high; y += 1) {
            const i = (y * wide + x) * 4;
            const far =
              Math.abs((data[i] ?? 0) - r) +
              Math.abs((data[i + 1] ?? 0) - g) +
              Math.abs((data[i + 2] ?? 0) - b);
            if (far < 60 && (data[i + 3] ?? 0) > 200) return true;
          }
          return false;
        });
        found = here.map((is, x) => is || found[x] === true);
      }
      return found;
    });
  });
}

export async function fitsItsWindow(page: Page): Promise<void> {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(wider, `${page.url()} scrolls sideways`).toBeLessThanOrEqual(0);
}
