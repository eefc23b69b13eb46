import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";

import { en } from "../src/i18n/en";
import { zh } from "../src/i18n/zh";
import { change, enter, fitsItsWindow, openDevice, somePoints, watch, type Items } from "./enter";

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

async function axeFindsNothing(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"])
    .analyze();
  const found = violations.map(
    (v) => `${page.url()}: ${v.id}: ${v.nodes.map((n) => n.html.slice(0, 140)).join(" | ")}`,
  );
  expect(found).toEqual([]);
}

for (const theme of ["light", "dark"] as const) {
  test(`axe finds nothing on the main pages in ${theme}`, async ({ page }) => {
    test.setTimeout(180_000);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await page.goto("/login");
    await expect(page.locator("#user")).toBeVisible();
    await axeFindsNothing(page);
    await enter(page);
    for (const path of await mainPages(page)) {
      await page.goto(path);
      await settled(page);
      await axeFindsNothing(page);
    }
  });
}

test("every main page fits a window of 360 pixels, and axe finds nothing there", async ({ page }, info) => {
  test.setTimeout(180_000);
  await enter(page);
  const paths = await mainPages(page);
  await page.setViewportSize({ width: 360, height: 740 });
  for (const path of paths) {
    await page.goto(path);
    await settled(page);
    await fitsItsWindow(page);
    await axeFindsNothing(page);
    await info.attach(path, { body: await page.screenshot(), contentType: "image/png" });
  }
  await page.getByRole("button", { name: "Open menu" }).click();
  await page.locator(".st-nav-drawer").getByRole("link", { name: "Gateways" }).click();
  await expect(page.locator("h1")).toHaveText("Gateways");
  await expect(page.locator(".st-card").first()).toBeVisible();
});

test("every main page speaks Chinese, and no page shows the name of a text", async ({ page }) => {
  test.setTimeout(120_000);
  await enter(page);
  const paths = await mainPages(page);
  await page.evaluate(() => localStorage.setItem("steward.language", "zh"));
  const keys = Object.keys(zh);
  // Words of the devices themselves are in both languages: only our own longer texts are looked for.
  const english = Object.entries(en)
    .filter(([key, text]) => text.length > 12 && !text.includes("{") && text !== zh[key as keyof typeof zh])
    .map(([, text]) => text);
  for (const path of paths) {
    await page.goto(path);
    await settled(page);
    await expect(page.locator("html")).toHaveAttribute("lang", "zh-CN");
    await expect(page.locator("#main h1:visible")).toHaveText(/[\u4e00-\u9fff]|^[\w-]+ ?在线$/);
    const text = await page.locator("body").innerText();
    expect(text.match(/[\u4e00-\u9fff]/g)?.length ?? 0, path).toBeGreaterThan(40);
    expect(
      english.filter((each) => text.includes(each)),
      path,
    ).toEqual([]);
    expect(
      keys.filter((key) => text.split(/\s/).includes(key)),
      path,
    ).toEqual([]);
  }
});

/** Each kind of event with what a hub or a gateway says of it in English. */
const EVENTS: [kind: string, detail: string, facts: Record<string, unknown>][] = [
  ["device_silent", "chwp-2 on rs485-2 has not answered for three polls", {}],
  ["line_down", "10.0.0.7:502 cannot be used: connection refused by the peer", {}],
  ["buffer_dropped", "the disk is full: telemetry is dropped, oldest first", {}],
  ["buffer_corrupt", "a stored batch does not match its hash", {}],
  ["config_applied", "one line was started and another one stopped", {}],
  ["config_refused", "2 faults, the first: there is no such profile here", {}],
  ["clock_step", "the wall clock jumped by 3.0 s", {}],
  ["counter_held", "main-meter/energy shows 12.5 kWh after 5001.0 kWh", {}],
  ["counter_rolled_over", "main-meter/energy went from 999.5 kWh to 3.2 kWh, past its last digit", {}],
  ["meter_replaced", "main-meter/energy ended with 5001.0 kWh and goes on from 12.5 kWh", {}],
  ["ratio_changed", "main-meter/energy went from 500.0 kWh to 1000.0 kWh with the ratio", {}],
  [
    "clock_corrected",
    "120 readings are moved by 1800.0 s; they are of 2026-03-01T08:00:00Z and later now",
    {},
  ],
  ["device_clock", "the clock of main-meter is 95 s behind this gateway's", {}],
  [
    "device_alarm",
    "ahu supply (analog-input 1): high-limit",
    { object: "supply (analog-input 1)", state: "high-limit" },
  ],
  [
    "number_conflict",
    "two devices claim the number 7",
    { what: "device", number: "7", known: "10.0.0.1:47808", other: "10.0.0.2:47808" },
  ],
  ["implausible", "main-meter/active-power jumped from 41.0 kW to 410.0 kW: about 10 times apart", {}],
  ["gateway_silent", "no connection for longer than the off-delay", {}],
  ["gateway_enrolled", "by plant from 10.0.0.7", { host: "plant", address: "10.0.0.7" }],
  ["gateway_revoked", "revoked by admin", { by: "admin" }],
  ["epoch_began", "epoch 2: new_buffer", { epoch: 2, reason: "new_buffer" }],
  ["data_missing", "live lane: 4 to 9 were dropped by the gateway", { lane: "live", from: 4, to: 9 }],
  ["data_missing", "live lane: these were dropped by the gateway", {}],
  [
    "batch_quarantined",
    "live lane, sequence 4: it cannot be read",
    { lane: "live", sequence: 4, reason: "it cannot be read" },
  ],
  ["clock_differs", "its clock is far ahead of the hub's; set the one that is wrong", { ahead_ms: 90_000 }],
  ["lane_paused", "live lane: nothing of what came last could be used", { lane: "live" }],
  ["of_a_newer_hub", "something that this page has never heard of", { new: "thing" }],
];

/** A line is down, every device is silent, and everything has happened to every gateway. */
async function trouble(page: Page): Promise<void> {
  interface Gateway {
    id: string;
    health: { lines: object[]; devices: { last_error: string }[] } | null;
  }
  const hurt = ({ health }: Gateway) => {
    const [line] = health?.lines ?? [];
    if (line) Object.assign(line, { up: false, last_error: "the line is lost for good and all" });
    for (const device of health?.devices ?? []) device.last_error = "no reply within 300 ms";
  };
  await change<{ items: Gateway[] }>(page, /\/api\/v1\/gateways\?/, ({ items }) => items.forEach(hurt));
  await change<Gateway>(page, /\/api\/v1\/gateways\/[^/?]+$/, hurt);
  await change<{ items: { silent: boolean }[] }>(page, /\/api\/v1\/devices\?/, ({ items }) => {
    for (const device of items) device.silent = true;
  });
  await change<Items>(page, /\/api\/v1\/gateways\/[^/]+\/events/, (body) => {
    const [at, gateway] = [new Date().toISOString(), "g"];
    body.items = EVENTS.map(([kind, detail, facts], i) => ({
      ...{
        id: `e${i}`,
        gateway,
        at,
        received_at: at,
        active: true,
        line: null,
        device: null,
        security: false,
      },
      ...{ kind, detail, facts },
    }));
  });
}

test("the overview and a gateway's page tell of trouble in Chinese, without a sentence of English", async ({
  page,
}) => {
  await enter(page);
  const gateway = (await mainPages(page)).find((path) => path.startsWith("/gateways/")) ?? "";
  await page.evaluate(() => localStorage.setItem("steward.language", "zh"));
  // Places are called what people call them.
  const listed = async (what: string) =>
    ((await (await page.request.get(`/api/v1/${what}?limit=500`)).json()) as Items).items;
  const names = [
    ...((await listed("devices")) as { place: string }[]).map(({ place }) => place),
    ...((await listed("sites")) as { name: string }[]).map(({ name }) => name),
  ].filter(Boolean);
  await trouble(page);
  for (const [path, sign] of [
    ["/", "没有应答"],
    [gateway, "网关的原话"],
  ] as const) {
    await page.goto(path);
    await settled(page);
    await expect(page.locator("#main").getByText(sign).first()).toBeVisible();
    await expect(page.locator("#main").getByText("线路不通").first()).toBeVisible();
    let text = await page.locator("#main").innerText();
    for (const name of names) text = text.replaceAll(name, "·");
    expect(text.match(/[A-Za-z'-]+(?:[,;:]? [A-Za-z'-]+){2,}/g) ?? [], path).toEqual([]);
    await axeFindsNothing(page);
  }
  const folded = page.locator("details.st-said").filter({ hasText: "connection refused" });
  const words = folded.getByText("cannot be used");
  await expect(words).toBeHidden();
  await folded.locator("summary").click();
  await expect(words).toBeVisible();
  await axeFindsNothing(page);
});

test("a line that is asked for too much says how much, what would be late and what would do", async ({
  page,
}) => {
  await enter(page);
  await page.goto("/gateways");
  const gateway =
    (await page.locator(".ant-table-tbody a[href^='/gateways/']").first().getAttribute("href")) ?? "";
  interface Health {
    lines: { name: string }[];
    devices: { key: string }[];
  }
  await change<{ health: Health }>(page, /\/api\/v1\/gateways\/[^/?]+$/, ({ health }) => {
    const [line] = health.lines;
    const points = ["gone/power", "gone/energy"];
    const overloaded = { what: "overloaded", device: null, count: 61, of: 207, points, baud: 19_200 };
    const babble = { what: "babble", device: null, count: 1, of: 207, points: [], baud: null };
    if (line) Object.assign(line, { up: true, planned: 1.308, wasted: 0, troubles: [overloaded, babble] });
  });
  await page.goto(gateway);
  await settled(page);
  const troubles = page.getByRole("list", { name: en["health.troubles"] });
  await expect(page.getByRole("row").filter({ hasText: "131%" })).toContainText("Overloaded");
  await expect(troubles).toContainText("would be late: gone (power, energy) and more. 19200 baud would do");
  await expect(troubles).toContainText("61 of 207 points");
  await expect(troubles).toContainText("1 byte");
  await axeFindsNothing(page);
  await page.setViewportSize({ width: 360, height: 740 });
  await fitsItsWindow(page);
});

test("a gateway without lines says what to do", async ({ page }) => {
  await enter(page);
  await page.goto("/gateways");
  const gateway =
    (await page.locator(".ant-table-tbody a[href^='/gateways/']").first().getAttribute("href")) ?? "";
  await change<{ health: object }>(page, /\/api\/v1\/gateways\/[^/?]+$/, ({ health }) =>
    Object.assign(health, { lines: [], devices: [] }),
  );
  await page.goto(gateway);
  await settled(page);
  await expect(page.getByRole("heading", { name: en["health.nolines.title"] })).toBeVisible();
  await expect(page.locator(".ant-empty")).toHaveCount(0);
  await axeFindsNothing(page);
});

test("a dark page does not begin white", async ({ page }) => {
  await page.addInitScript(() => localStorage.setItem("steward.theme", "dark"));
  // Nothing of the console itself is let through: what is seen then is what is seen first.
  await page.route(/\/assets\/.*\.js/, (route) => route.abort());
  await page.goto("/login");
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  expect(ground).toBe("rgb(14, 18, 23)");
});

test("the pages of the interface work under the hub's own policy", async ({ page }) => {
  const seen = watch(page);
  await page.goto("/api/docs");
  const docs = page.locator("rapi-doc");
  await expect(docs.getByText("/api/v1/series", { exact: false }).first()).toBeVisible({ timeout: 30_000 });
  expect(seen.faults).toEqual([]);
});
