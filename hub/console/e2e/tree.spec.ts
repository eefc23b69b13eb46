import { expect, test, type Page } from "@playwright/test";

import { enter, watch } from "./enter";

const deviceNodes = (page: Page) => page.locator("[data-node^='device:']");
const filter = (page: Page) => page.locator(".st-tree-search input");

async function namesInTree(page: Page): Promise<string[]> {
  await expect(deviceNodes(page).first()).toBeVisible();
  return deviceNodes(page).locator(".st-node-name").allTextContents();
}

test("the tree leads to a device, and stays as it was", async ({ page }) => {
  const seen = watch(page);
  await enter(page);
  await page.goto("/devices");
  const name = (await namesInTree(page)).at(-1) ?? "";
  const tree = page.locator(".st-tree");
  await tree.evaluate((element) => element.setAttribute("data-was", "here"));
  await deviceNodes(page).filter({ hasText: name }).click();
  await expect(page).toHaveURL(/\/devices\/.+/);
  await expect(page.locator(".st-detail h1")).toContainText(name);
  await expect(page.locator(".st-detail .st-value").first()).toBeVisible();
  await expect(tree).toHaveAttribute("data-was", "here");
  await expect(page.locator(".ant-tree-node-selected")).toContainText(name);
  expect(seen.faults).toEqual([]);
});

test("the tree is narrowed by quick typing, and the address keeps it", async ({ page }) => {
  await enter(page);
  await page.goto("/devices");
  const names = await namesInTree(page);
  const name = names.at(-1) ?? "";
  await filter(page).click();
  await filter(page).pressSequentially(name);
  await expect(filter(page)).toHaveValue(name);
  await expect(deviceNodes(page)).toHaveCount(names.filter((each) => each.includes(name)).length);
  await expect(deviceNodes(page).locator(".st-node-name")).toHaveText([name]);
  await expect.poll(() => new URL(page.url()).searchParams.get("q")).toBe(name);
  await page.reload();
  await expect(filter(page)).toHaveValue(name);
  await expect(deviceNodes(page).locator(".st-node-name")).toHaveText([name]);
  await filter(page).fill("");
  await expect(deviceNodes(page)).toHaveCount(names.length);
});

test("Chinese is typed into the tree's box through an input method", async ({ page }) => {
  await enter(page);
  await page.goto("/devices");
  const all = (await namesInTree(page)).length;
  await filter(page).click();
  const keyboard = await page.context().newCDPSession(page);
  for (const text of ["l", "le", "leng", "leng s", "leng shui"]) {
    await keyboard.send("Input.imeSetComposition", {
      text,
      selectionStart: text.length,
      selectionEnd: text.length,
    });
    await expect(filter(page)).toHaveValue(text);
  }
  await keyboard.send("Input.insertText", { text: "冷水" });
  await expect(filter(page)).toHaveValue("冷水");
  await expect.poll(() => new URL(page.url()).searchParams.get("q")).toBe("冷水");
  await expect(filter(page)).toHaveValue("冷水");
  const found = await deviceNodes(page).count();
  expect(found).toBeGreaterThan(0);
  expect(found).toBeLessThan(all);
});
