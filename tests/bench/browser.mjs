// Watches one number on a device's page in Chromium and says when each new one was drawn.
//
//     node browser.mjs URL USER PASSWORD DEVICE_ID POINT_TITLE
//
// A line for each: the number, a blank, milliseconds since 1970 of the frame that shows it. It runs until it is killed.
import { createRequire } from "node:module";

import { executablePath } from "../../hub/console/scripts/chromium.mjs";

const require = createRequire(new URL("../../hub/console/package.json", import.meta.url));
const { chromium } = require("@playwright/test");

const [url, user, password, device, title] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, locale: "en-GB" });
await page.exposeFunction("tell", (number, at) => console.log(`${number} ${at}`));
const answer = await page.request.post(`${url}/api/v1/session`, { data: { user, password } });
if (!answer.ok()) throw new Error(`log-in: ${answer.status()} ${await answer.text()}`);
await page.goto(`${url}/devices/${device}`);
await page.getByText(title).first().waitFor();
await page.evaluate((wanted) => {
  let last = "";
  const look = () => {
    const row = [...document.querySelectorAll("tr")].find((tr) => tr.textContent.includes(wanted));
    const number = row?.querySelectorAll("td")[2]?.textContent?.replace(/[^0-9]/g, "") ?? "";
    if (number === "" || number === last) return;
    last = number;
    // The frame that draws the change begins now.
    requestAnimationFrame(() => globalThis.tell(number, performance.timeOrigin + performance.now()));
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
  look();
}, title);
console.log("ready");
