// SPDX-License-Identifier: MIT
//
// Every key that the help names does what it says.

import { expect, test } from "./page.ts";

const CPU = "orders_labels.pb.gz";

/** A key, and what the address says after it. */
const effects: [string, string, string | RegExp][] = [
  ["t", "view", "top"],
  ["r", "view", "tree"],
  ["c", "view", "calls"],
  ["v", "inv", "1"],
  ["o", "up", "1"],
  ["f", "f", /malloc/],
  ["i", "i", /malloc/],
  ["h", "h", /malloc/],
  ["n", "at", /./],
  ["N", "at", /./],
];

test("each key does what it says", async ({ open, page }) => {
  const flame = await open(CPU, "?q=malloc");
  const start = page.url();
  for (const [key, name, value] of effects)
    await test.step(`the key ${key}`, async () => {
      await page.goto(start);
      // Before the matches are there a key may have nothing to act on.
      await expect(flame.matched).toHaveText(/% of 1\.33s matches$/);
      await expect(async () => {
        await page.keyboard.press(key);
        await expect.poll(() => flame.param(name), { timeout: 3000 }).toMatch(value);
      }).toPass();
    });
});

test("keys of zoom: Enter, Esc, 0, and arrows", async ({ open, page }) => {
  const flame = await open(CPU);
  await flame.area.focus();
  for (const key of ["ArrowDown", "ArrowDown", "Enter"]) await page.keyboard.press(key);
  await expect(flame.pill("zoom")).toHaveText("main.main");
  await page.keyboard.press("Escape");
  await expect(flame.pill("zoom")).toHaveText("runtime.main");
  await page.keyboard.press("Enter");
  await page.keyboard.press("0");
  await expect(flame.pill("zoom")).toHaveCount(0);
});

test("keys that copy: y the name, Y the stack", async ({ open, page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const flame = await open(CPU);
  await flame.area.focus();
  for (const key of ["ArrowDown", "ArrowDown"]) await page.keyboard.press(key);
  const read = () => page.evaluate(() => navigator.clipboard.readText());
  await page.keyboard.press("y");
  await expect.poll(read).toBe("main.main");
  await page.keyboard.press("Y");
  await expect.poll(read).toBe("main.main\nruntime.main");
});

test("the help names all of them", async ({ open, page }) => {
  await open(CPU);
  await page.keyboard.press("?");
  const named = (await page.getByRole("dialog").locator("dt").allTextContents()).join(" ");
  for (const key of ["/", "0", "Enter", "Esc", "y", "Y", "?", ...effects.map(([k]) => k)])
    expect(named.split(/[\s,]+/)).toContain(key);
  await page.getByRole("button", { name: "Close" }).click();
  await expect(page.getByRole("dialog")).toBeHidden();
});
