// SPDX-License-Identifier: Apache-2.0
// A real browser (Debian's Chromium through playwright-core) as the tests of pages use it. Walks are made without script;
// each page met on the way is examined in a browser of its own: accessibility by axe-core, in light and dark, wide and
// narrow. With GATEHOUSE_SCREENSHOTS naming a folder, it keeps a picture of each.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LOOKS = [["light", 1100], ["light", 360], ["dark", 1100], ["dark", 360]];
const PAGE_BYTES_MAX = 50 * 1024;

export class Eyes {
  static async open() {
    const eyes = new Eyes();
    eyes.browser = await chromium.launch({ executablePath: process.env.GATEHOUSE_CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
    eyes.looks = await Promise.all(LOOKS.map(async ([colorScheme, width]) => {
      const context = await eyes.browser.newContext({ colorScheme, viewport: { width, height: 760 } });
      return { name: `${colorScheme}-${width}`, width, page: await context.newPage() };
    }));
    eyes.examined = new Set();
    return eyes;
  }

  close() { return this.browser.close(); }

  // Somebody with a browser that runs no script. `complaints` is what the browser said against a page, its
  // Content-Security-Policy above all.
  async person(options = {}) {
    const context = await this.browser.newContext({ javaScriptEnabled: false, viewport: { width: 1100, height: 760 }, ...options });
    const page = await context.newPage();
    page.complaints = [];
    page.on("console", (message) => {
      if (/Content Security Policy|Refused to|Blocked/i.test(message.text())) page.complaints.push(message.text());
    });
    return page;
  }

  // Holds the page that is shown against what every page promises.
  async examine(page, name) {
    const html = await page.content();
    assert.ok(Buffer.byteLength(html) < PAGE_BYTES_MAX, `${name} is ${Buffer.byteLength(html)} bytes`);
    assert.ok(!/<script|\son\w+=|javascript:/i.test(html), `${name} has script`);
    assert.deepEqual(page.complaints, [], name);
    for (const look of this.looks) {
      await look.page.setContent(html);
      await look.page.evaluate(axe);
      const { violations } = await look.page.evaluate("axe.run(document, { resultTypes: ['violations'] })");
      const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
      assert.deepEqual(told, [], `${name}, ${look.name}`);
      const wide = await look.page.evaluate("document.documentElement.scrollWidth");
      assert.ok(wide <= look.width, `${name} is ${wide} wide in a window of ${look.width}`);
      if (!process.env.GATEHOUSE_SCREENSHOTS) continue;
      mkdirSync(process.env.GATEHOUSE_SCREENSHOTS, { recursive: true });
      await look.page.screenshot({ path: join(process.env.GATEHOUSE_SCREENSHOTS, `${name}-${look.name}.png`), fullPage: true });
    }
    this.examined.add(name);
  }
}

// What the keyboard is on: its text or name, and whether one sees that it is.
export function focused(page) {
  return page.evaluate(`(() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    return {
      tag: element.tagName.toLowerCase(),
      text: (element.innerText || element.getAttribute("name") || "").replace(/\\s+/g, " ").trim(),
      visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    };
  })()`);
}

// Tabs until the keyboard is on what has this text; everything on the way must show that it is.
export async function tabTo(page, text, { most = 30 } = {}) {
  for (let step = 0; step < most; step++) {
    await page.keyboard.press("Tab");
    const on = await focused(page);
    if (on.tag !== "body") assert.ok(on.visible, `one does not see the keyboard on ${on.tag} "${on.text}"`);
    if (text instanceof RegExp ? text.test(on.text) : on.text === text) return on;
  }
  throw new Error(`the keyboard never came to "${text}"`);
}
