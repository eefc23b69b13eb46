// The pictures of the README, in both languages, from the running product (`cargo xtask pictures`).
import { chromium } from "@playwright/test";

import { executablePath } from "./chromium.mjs";

const [url, user, password, folder] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
for (const [language, locale] of [
  ["en", "en-GB"],
  ["zh", "zh-CN"],
]) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 860 }, locale, baseURL: url });
  const page = await context.newPage();
  const answer = await page.request.post("/api/v1/session", { data: { user, password } });
  if (!answer.ok()) throw new Error(`log-in: ${answer.status()}`);
  const all = async (what) => (await (await page.request.get(`/api/v1/${what}?limit=500`)).json()).items;
  const [devices, points] = [await all("devices"), await all("points")];
  const device = (key) => devices.find((d) => d.key === key);
  const point = (of, key) => points.find((p) => p.device === device(of).id && p.key === key).id;
  const meter = device("main-meter");
  const drawn = [
    point("main-meter", "active-power"),
    point("meter-chillers", "active-power"),
    point("chiller-1", "leaving-water-temperature"),
  ];
  for (const [name, path] of [
    ["device", `/devices/${meter.id}`],
    ["chart", `/chart?points=${drawn.join(",")}&range=7d`],
  ]) {
    await page.goto(path);
    await page
      .locator(name === "device" ? ".st-value[data-trust=yes]" : ".st-legend-item")
      .first()
      .waitFor();
    await page.waitForLoadState("networkidle").catch(() => undefined);
    // The curves are drawn a frame after their data came.
    await page.waitForTimeout(1500);
    await page.screenshot({ path: `${folder}/${name}-${language}.png` });
  }
  await context.close();
}
await browser.close();
