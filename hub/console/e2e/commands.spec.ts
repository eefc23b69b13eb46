// A value is written from the page of a device, by keyboard, on a phone's window too. The hub's answers are changed on
// their way: a plant room of the tests has nothing that may be written.
import { expect, test } from "@playwright/test";

import { change, enter, fitsItsWindow, openDevice, watch, type Items } from "./enter";

interface Writable {
  id: number;
  kind: string;
  write: object | null;
}

test("a setpoint is written in words that say what will happen", async ({ page }) => {
  const seen = watch(page);
  await change<{ user: { commands: boolean } }>(page, /\/api\/v1\/session$/, (session) => {
    if (session.user) session.user.commands = true;
  });
  const write = { min: -1e6, max: 1e6, step: 0.1, time_boxed: true, two_persons: true, priority: 8 };
  await change<Items>(page, /\/api\/v1\/points\?/, ({ items }) => {
    const gauge = (items as Writable[]).find((p) => p.kind === "gauge");
    if (gauge) gauge.write = write;
  });
  const sent: Record<string, unknown>[] = [];
  await page.route(/\/api\/v1\/commands$/, async (route) => {
    if (route.request().method() !== "POST") return route.fallback();
    sent.push(route.request().postDataJSON() as Record<string, unknown>);
    return route.fulfill({ status: 201, json: { state: "awaiting_approval" } });
  });
  await enter(page);
  await openDevice(page);
  await page.setViewportSize({ width: 360, height: 740 });
  const open = page.getByRole("button", { name: /^Write / }).first();
  await open.focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await expect(dialog).toBeVisible();
  await fitsItsWindow(page);
  await dialog.getByLabel("New value").fill("20");
  await dialog.getByLabel("Reason").fill("WO-2026-0417");
  await page.keyboard.press("Enter");
  await expect(dialog.getByText("Another person has to agree before it is sent.")).toBeVisible();
  await expect(dialog.getByText(/the gateway brings the old value back by itself/)).toBeVisible();
  await fitsItsWindow(page);
  expect(sent).toEqual([]);
  await dialog.getByRole("button", { name: "Send" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByText("The command waits for another person to agree")).toBeVisible();
  expect(sent).toHaveLength(1);
  expect(sent[0]).toMatchObject({ value: 20, why: "WO-2026-0417" });
  expect(seen.faults).toEqual([]);
});
