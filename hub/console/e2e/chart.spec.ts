import { readFile } from "node:fs/promises";

import { expect, test, type Page } from "@playwright/test";

import { allPoints, columns, drawn, enter, gaugesOf, openDevice, pointOf, watch } from "./enter";
import { mend, silence } from "./plant";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MONTH_MS = 30 * DAY_MS;
const area = (page: Page) => page.locator(".st-chart-area");
const plots = (page: Page) => page.locator(".st-chart-area .u-over");
const windowOf = (page: Page) => {
  const { searchParams } = new URL(page.url());
  return { from: Number(searchParams.get("from")), to: Number(searchParams.get("to")) };
};

/** The instants of which a point has something, from so long ago to so long ago. */
async function instants(page: Page, point: number, fromAgo: number, toAgo: number): Promise<number[]> {
  const [from, to] = [fromAgo, toAgo].map((ago) => new Date(Date.now() - ago).toISOString());
  const address = `/api/v1/series?points=${point}&from=${from}&to=${to}&width=800`;
  const { series } = (await (await page.request.get(address)).json()) as { series: { t: number[] }[] };
  return series[0]?.t ?? [];
}

/** Whether a point has the whole month: history comes the oldest first. */
async function hasMonth(page: Page, point: number): Promise<boolean> {
  const oldest = await instants(page, point, MONTH_MS, MONTH_MS - DAY_MS);
  return oldest.length > 0 && (await instants(page, point, 2 * HOUR_MS, HOUR_MS)).length > 0;
}

/** The chart has drawn each of its lines over so much of its width; another line may hide parts of it. */
async function isDrawn(page: Page, least = 0.5): Promise<void> {
  await expect
    .poll(async () => Math.min(...(await drawn(page))), {
      message: `${page.url()} is drawn`,
      timeout: 100_000,
    })
    .toBeGreaterThan(least);
  await expect(page.locator(".st-chart-blank")).toHaveCount(0);
}

async function mark(page: Page, from: number, to: number, key?: "Shift"): Promise<void> {
  const box = await plots(page).first().boundingBox();
  if (!box) throw new Error("the chart has a place");
  if (key) await page.keyboard.down(key);
  await page.mouse.move(box.x + box.width * from, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * to, box.y + 60, { steps: 6 });
  await page.mouse.up();
  if (key) await page.keyboard.up(key);
}

test("a month of two points is drawn, zoomed, and its link shows the same", async ({ page }) => {
  test.setTimeout(300_000);
  const seen = watch(page);
  await enter(page);
  const points = await gaugesOf(page, 2);
  for (const point of points) {
    await expect.poll(() => hasMonth(page, point), { timeout: 200_000 }).toBe(true);
  }
  await page.goto(`/chart?points=${points.join(",")}`);
  await expect(page.locator(".st-legend-item")).toHaveCount(2);
  await isDrawn(page);
  await page.getByText("30 d", { exact: true }).click();
  await expect(page).toHaveURL(/range=30d/);
  await expect(area(page)).toHaveAttribute("data-bucket", "3600000");
  await isDrawn(page);

  const box = await plots(page).first().boundingBox();
  if (!box) throw new Error("the chart has a place");
  await page.mouse.move(box.x + box.width / 2, box.y + 60);
  await expect(page.locator(".st-chart-tip")).toContainText(/\d/);
  await expect(page.locator(".st-chart-tip")).toContainText(/UTC[+-]\d\d:\d\d/);
  await expect(page.locator(".st-chart-tip")).not.toContainText("no data");
  await mark(page, 0.1, 0.8);
  await expect(page).toHaveURL(/from=\d+&to=\d+|to=\d+.*from=\d+/);
  const zoomed = windowOf(page);
  const marked = 0.7 * MONTH_MS;
  expect(Math.abs(zoomed.to - zoomed.from - marked)).toBeLessThan(marked * 0.1);
  await isDrawn(page);
  // A window that has passed has no present value.
  await expect(page.locator(".st-legend .st-value")).toHaveCount(0);

  await page.reload();
  await expect(page.locator(".st-legend-item")).toHaveCount(2);
  expect(windowOf(page)).toEqual(zoomed);
  await isDrawn(page);
  await page.goBack();
  await expect(page).toHaveURL(/range=30d/);
  expect(seen.faults).toEqual([]);
});

test("lanes under each other share their time, and a zoom is one step of the way back", async ({ page }) => {
  await enter(page);
  const state = await pointOf(page, "flag");
  const points = [...(await gaugesOf(page, 3)), state.id];
  await page.goto(`/chart?points=${points.join(",")}&range=7d`);
  await expect(plots(page)).toHaveCount(3);
  await isDrawn(page, 0.3);
  const sides = async () => {
    const boxes = await plots(page).evaluateAll((all) => all.map((one) => one.getBoundingClientRect()));
    return new Set(boxes.map((box) => `${Math.round(box.left)} to ${Math.round(box.right)}`)).size;
  };
  await expect.poll(sides).toBe(1);

  const before = await page.evaluate(() => history.length);
  await mark(page, 0.7, 0.9);
  await expect(page).toHaveURL(/from=\d+/);
  await isDrawn(page);
  expect((await page.evaluate(() => history.length)) - before).toBe(1);
  await expect.poll(sides).toBe(1);
  await page.goBack();
  await expect(page).toHaveURL(/range=7d/);
});

test("a chart is panned by hand, by button and by key, and Escape leads back", async ({ page }) => {
  await enter(page);
  const [point] = await gaugesOf(page, 1);
  await page.goto(`/chart?points=${point}&range=1h`);
  await isDrawn(page, 0.1);
  await mark(page, 0.2, 0.7, "Shift");
  // Half an hour back: what lay at a fifth lies at seven tenths. A slow machine settles on the way there too.
  await expect(page).toHaveURL(/from=\d+/);
  await expect.poll(() => Date.now() - windowOf(page).to).toBeGreaterThan(25 * 60_000);
  const first = windowOf(page);
  expect(first.to - first.from).toBeGreaterThan(3_590_000);
  expect(first.to - first.from).toBeLessThan(3_610_000);
  await page.getByRole("button", { name: "Earlier" }).click();
  await expect.poll(() => windowOf(page).from).toBeLessThan(first.from);
  const second = windowOf(page);
  await area(page).focus();
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => windowOf(page).from).toBeGreaterThan(second.from);
  const third = windowOf(page);
  // Keys of the browser itself are not the chart's.
  await page.keyboard.press("Control+Minus");
  await page.keyboard.press("Minus");
  await expect.poll(() => windowOf(page).to - windowOf(page).from).toBe(2 * (third.to - third.from));
  await page.keyboard.press("Escape");
  await expect(page).not.toHaveURL(/from=/);
});

test("points that are ticked are compared", async ({ page }) => {
  await enter(page);
  await openDevice(page);
  const boxes = page.locator(".ant-table-tbody input[type=checkbox]:not(:disabled)");
  await boxes.nth(0).check();
  await boxes.nth(1).check();
  await page.getByRole("link", { name: "Compare 2 points" }).click();
  await expect(page).toHaveURL(/\/chart\?points=\d+,\d+/);
  await expect(page.locator(".st-legend-item")).toHaveCount(2);
  await page.locator(".st-legend-item").getByRole("button").first().click();
  await expect(page.locator(".st-legend-item")).toHaveCount(1);
});

test("what cannot be drawn is said", async ({ page }) => {
  await enter(page);
  const [point] = await gaugesOf(page, 1);
  await page.goto("/chart?points=99999999");
  await expect(page.getByText("There is no point number 99999999")).toBeVisible();
  await expect(page.getByText("None of these points can be drawn")).toBeVisible();
  await page.goto(`/chart?points=${point},99999999`);
  await isDrawn(page);
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await expect(page).toHaveURL(new RegExp(`points=${point}$`));
  await expect(page.getByText("There is no point number")).toHaveCount(0);
  const text = await pointOf(page, "text");
  await page.goto(`/chart?points=${text.id}`);
  await expect(page.getByText(`${text.title.en}” is a text and cannot be drawn`)).toBeVisible();
});

test("a device that was silent leaves a gap in its line", async ({ page }) => {
  test.setTimeout(240_000);
  await enter(page);
  await openDevice(page);
  const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";
  const device = (await (await page.request.get(`/api/v1/devices/${id}`)).json()) as { key: string };
  const points = (await allPoints(page)).filter((p) => p.device === id && p.kind === "gauge");
  const point = points[0];
  if (!point) throw new Error("the device has a gauge");
  const row = page.locator("tr", { has: page.locator(`[data-point="${point.id}"]`) });
  await expect(row).toContainText("Good");
  const from = Date.now() - 30_000;
  let [broken, mending] = [0, 0];
  await silence(device.key);
  try {
    await expect(row).toContainText("No reply", { timeout: 40_000 });
    broken = Date.now();
    await expect(row.locator("[data-trust=yes]")).toHaveCount(0);
    await expect(page.locator(".st-title-mark")).toHaveText("Silent", { timeout: 40_000 });
    await page.goto("/");
    await expect(page.locator(".st-list", { hasText: "does not answer" })).toBeVisible();
    await expect.poll(() => Date.now() - broken, { timeout: 30_000 }).toBeGreaterThan(15_000);
  } finally {
    mending = Date.now();
    await mend(device.key);
  }
  // A silent device is asked less and less often, and the gateway keeps its readings for a flush before it sends them.
  const goodAgain = async () => {
    const [after, to] = [new Date(mending).toISOString(), new Date().toISOString()];
    const address = `/api/v1/series?points=${point.id}&from=${after}&to=${to}&width=800`;
    const { series } = (await (await page.request.get(address)).json()) as {
      series: { t: number[]; value: (number | null)[] }[];
    };
    const [one] = series;
    const good = one?.t.filter((_, i) => one.value[i] != null) ?? [];
    return { first: good[0] ?? 0, span: (good.at(-1) ?? 0) - (good[0] ?? 0) };
  };
  await expect.poll(async () => (await goodAgain()).span, { timeout: 90_000 }).toBeGreaterThan(10_000);
  const to = (await goodAgain()).first + 10_000;
  await page.goto(`/chart?points=${point.id}&from=${from}&to=${to}`);
  await isDrawn(page, 0.15);
  const [line = []] = await columns(page);
  const share = (at: number) => Math.round(((at - from) / (to - from)) * line.length);
  // Silent was the device at least from when the page said so to when it was mended.
  expect(line.slice(share(broken), share(mending)).filter(Boolean)).toEqual([]);
  expect(line.slice(0, share(broken)).some(Boolean)).toBe(true);
  expect(line.slice(share(mending)).some(Boolean)).toBe(true);
});

test("a chart leaves as CSV and as a picture", async ({ page }) => {
  await enter(page);
  const points = await gaugesOf(page, 3);
  await page.goto(`/chart?points=${points.join(",")}&range=7d`);
  await isDrawn(page, 0.3);
  const bucket = Number(await area(page).getAttribute("data-bucket"));
  expect(bucket).toBeGreaterThan(0);

  const menu = page.getByRole("button", { name: "CSV" });
  await menu.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("menuitem", { name: "As drawn" })).toBeFocused();
  const table = page.waitForEvent("download");
  await page.keyboard.press("Enter");
  const file = await table;
  expect(new URL(file.url()).searchParams.get("bucket")).toBe(String(bucket));
  const text = await readFile(await file.path(), "utf8");
  expect(text.charCodeAt(0)).toBe(0xfeff);
  expect(text.trim().split(/\r?\n/).length).toBeGreaterThan(100);

  await menu.click();
  const readings = page.waitForEvent("download");
  await page.getByRole("menuitem", { name: "Readings as they were taken" }).click();
  expect((await readings).url()).not.toContain("bucket");

  const picture = page.waitForEvent("download");
  await page.getByRole("button", { name: "PNG" }).click();
  const bytes = await readFile(await (await picture).path());
  expect(bytes.subarray(1, 4).toString()).toBe("PNG");
  expect(bytes.length).toBeGreaterThan(10_000);
});
