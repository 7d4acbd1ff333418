// SPDX-License-Identifier: MIT
//
// A difference of two profiles: the numbers of pprof's -diff_base -top, both sides of them, values
// or shares, and what only one side has.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, golden, root, test } from "./page.ts";
import { axeFinds } from "./serve_page.ts";

const AFTER = "orders_labels.pb.gz";
const base = `-diff_base=${join(golden, "kern_cpu.pb.gz")}`;
const strobe = process.env.STROBE ?? join(root, "build/strobe");

/** Flat of each function in ms, as pprof prints them. */
function printed(...flags: string[]): Map<string, number> {
  const text = execFileSync(
    strobe,
    ["pprof", "-top", "-unit=ms", "-nodefraction=0", "-nodecount=0", ...flags, join(golden, AFTER)],
    { encoding: "utf8" },
  );
  const row = /^ *(-?[\d.]+)(?:ms)? +\S+% +\S+% +\S+ +\S+% {2}(.*?)(?: \(inline\))?$/gm;
  const rows = text.matchAll(row);
  return new Map([...rows].map(([, flat, name]) => [name, Number(flat)]));
}

test("the table has before, after and change, as strobe pprof counts them", async ({
  open,
  page,
}) => {
  const flame = await open(AFTER, "?view=top", base);
  const change = printed(base);
  const after = printed();
  expect(change.size).toBeGreaterThan(10);
  await expect(flame.rows.first()).toBeVisible();
  const head = await page.getByRole("button", { name: /Change of flat/ }).textContent();
  const inMs = head?.includes("(ms)") ? 1 : 1000;
  for (const row of (await flame.rows.all()).slice(0, 15)) {
    const name = (await row.getAttribute("data-function")) ?? "";
    const [b, a, c] = (await row.locator("td.number").allTextContents()).map((t) =>
      Math.round(Number(t.replace("+", "")) * inMs),
    );
    expect([name, c]).toEqual([name, change.get(name)]);
    expect([name, a]).toEqual([name, after.get(name) ?? 0]);
    expect(a - b).toBe(c);
  }
  await expect(page.getByText(/ before, .* after: /)).toBeVisible();
  expect(await axeFinds(page)).toEqual([]);
});

test("boxes have both sides; relative makes both the same size", async ({ open, page }) => {
  const flame = await open(AFTER, "", base);
  const change = flame.status.locator("[data-amount=change]");
  await expect(change).toContainText(/change [-+][1-9]/);
  await page.getByRole("combobox", { name: "Difference" }).selectOption("shares");
  await expect.poll(() => flame.param("drel")).toBe("1");
  await expect(change).toContainText(/change 0$/);
  await expect(page.getByText("(scaled) before")).toBeVisible();
  await flame.area.focus();
  for (let i = 0; i < 6; i++) await page.keyboard.press("ArrowDown");
  await expect(flame.status.locator(".badge", { hasText: /^only (before|after)$/ })).toBeVisible();
  await page.keyboard.press("d");
  await expect.poll(() => flame.param("drel")).toBeNull();
});

for (const colorScheme of ["light", "dark"] as const)
  test(`axe finds nothing: ${colorScheme}`, async ({ open, page }) => {
    await page.emulateMedia({ colorScheme });
    await open(AFTER, "?view=graph", base);
    await expect(page.locator("main.graph-view")).toHaveAttribute("aria-busy", "false");
    await expect(page.locator(".graph-node[class*='less-']").first()).toBeVisible();
    expect(await axeFinds(page)).toEqual([]);
  });
