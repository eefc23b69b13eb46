// What is not known is not shown as good.
import { expect, test, type Page } from "@playwright/test";

import { change, enter, openDevice, type Items } from "./enter";

const WELL = "All is well: every gateway is online and every device answers.";

const withoutGateway = (page: Page) =>
  change<Items>(page, /\/api\/v1\/gateways\?/, ({ items }) => {
    for (const gateway of items as { state: string }[]) gateway.state = "offline";
  });

test("the overview does not say that all is well before it knows", async ({ page }) => {
  await enter(page);
  // A machine that is busy with other tests may make devices late: that is not what is tried here.
  interface Fleet {
    items: { health: { lines: { troubles: unknown[] }[] } | null }[];
  }
  await change<Fleet>(page, /\/api\/v1\/gateways\?/, ({ items }) => {
    for (const line of items.flatMap(({ health }) => health?.lines ?? [])) line.troubles = [];
  });
  let answer = (): void => undefined;
  const asked = new Promise<void>((done) => (answer = done));
  await page.route(/\/api\/v1\/devices\?/, async (route) => {
    await asked;
    await route.continue();
  });
  await page.reload();
  await expect(page.getByRole("heading", { name: "Needs attention" })).toBeVisible();
  await expect(page.locator("#main [aria-busy=true]").first()).toBeVisible();
  await expect(page.getByText(WELL)).toHaveCount(0);
  answer();
  await expect(page.getByText(WELL)).toBeVisible();
});

test("the overview says so when it cannot learn of the devices", async ({ page }) => {
  await enter(page);
  await page.route(/\/api\/v1\/devices\?/, (route) => route.fulfill({ status: 500, body: "{}" }));
  await page.reload();
  await expect(page.getByRole("alert")).toContainText("The hub failed");
  await expect(page.getByText(WELL)).toHaveCount(0);
});

test("behind a gateway that is away nothing answers and nothing is good", async ({ page }) => {
  await enter(page);
  await openDevice(page);
  const device = page.url();
  await expect(page.locator(".st-title-mark")).toHaveText("Answering");
  await withoutGateway(page);
  await page.goto(device);
  await expect(page.locator(".st-title-mark")).toHaveText("Unknown");
  await expect(page.getByText(/is offline: these are the last values received/)).toBeVisible();
  const values = page.locator(".st-value");
  await expect(values.first()).toBeVisible();
  await expect(page.locator(".st-value[data-trust=yes]")).toHaveCount(0);
  await expect(page.locator(".ant-table-tbody").getByText("Good", { exact: true })).toHaveCount(0);

  await page.goto("/");
  const answering = page.locator(".st-stat", { hasText: "Devices answering" });
  await expect(answering).toContainText(/0 of \d+/);
  await expect(answering).toContainText(/\d+ unknown/);
  await expect(page.getByText(WELL)).toHaveCount(0);

  await page.goto("/devices?only=silent");
  await expect(page.getByText(/nothing is known, for the gateway is away/)).toBeVisible();
});

test("devices out of use are left out, and can be asked for", async ({ page }) => {
  await enter(page);
  let name = "";
  await change<Items>(page, /\/api\/v1\/devices\?/, ({ items }) => {
    const [first] = items as { in_use: boolean; title: { en: string } }[];
    if (!first) throw new Error("there is a device");
    first.in_use = false;
    name = first.title.en;
  });
  await page.goto("/devices");
  const rows = page.locator(".ant-table-tbody tr.ant-table-row");
  await expect(rows.first()).toBeVisible();
  const inUse = await rows.count();
  await expect(rows.getByRole("link", { name, exact: true })).toHaveCount(0);
  await page.getByRole("checkbox", { name: "Also those out of use (1)" }).check();
  await expect(rows).toHaveCount(inUse + 1);
  await expect(rows.filter({ has: page.getByRole("link", { name, exact: true }) })).toContainText(
    "Not in use",
  );
  await expect(page).toHaveURL(/unused=1/);
  await page.goto("/devices?node=site:gone");
  await expect(page.getByText("This place is not there")).toBeVisible();
});
