// SPDX-License-Identifier: MIT
//
// Trends: the tree's column, what changed, one function's share in the chart.

import { expect, Flame } from "./page.ts";
import { axeFinds, CPU, test, type Dashboard } from "./serve_page.ts";

const KERN = "kern_cpu.pb.gz";

/** A program that does one thing for half an hour, and another since. */
async function change(serve: Dashboard): Promise<void> {
  for (let i = 0; i < 12; i++) {
    await serve.push(KERN, { service_name: "api", kind: "cpu", time: `-${58 - 2 * i}m` });
    await serve.push(CPU, { service_name: "api", kind: "cpu", time: `-${28 - 2 * i}m` });
  }
}

test("the tree's rows show how their share has changed, and how sure that is", async ({
  serve,
  page,
}) => {
  await change(serve);
  await page.goto(`${serve.url}/?view=tree`);
  const row = page.locator("tr[data-function='runtime.bgsweep']").first();
  await expect(row.locator(".trend-more .change")).toHaveText(/^\+\d+\.\d$/);
  await expect(row.locator(".confidence")).toHaveText("p < 0.001");
  await expect(row.locator(".trend svg path")).toHaveAttribute("d", /^M[\d.]+ [\d.]+L/);
  const less = page.locator("tr[data-function='main.mul']").first();
  await expect(less.locator(".trend-less .change")).toHaveText(/^−\d+\.\d$/);
  expect(await axeFinds(page)).toEqual([]);
});

test("what changed is named, and leads to its trend", async ({ serve, page }) => {
  await change(serve);
  await page.goto(serve.url);
  const changed = page.getByRole("region", { name: "What changed here" });
  const first = changed.getByRole("listitem").first().getByRole("button");
  await expect(first).toContainText(/points \(p < 0\.001\)/);
  await first.click();
  const flame = new Flame(page);
  await expect.poll(() => flame.param("trend")).toBeTruthy();
  const name = flame.param("trend") ?? "";
  await expect(page.locator("[data-pill=trend] .pill-value")).toHaveText(name);
  await expect(page.locator("#chart-twin")).toContainText("itself");
  await expect(page.locator("#chart-twin")).toContainText("%");
  await expect(flame.pill("selected")).toHaveText(name);
  await page.getByRole("button", { name: "Show the total again" }).click();
  await expect(page.locator("[data-pill=trend]")).toHaveCount(0);
});

test("a frame's menu and the key l show its trend", async ({ serve, page }) => {
  await change(serve);
  await page.goto(`${serve.url}/?view=tree`);
  const row = page.locator("tr[data-function='main.main']").first();
  await row.click({ button: "right" });
  await page.getByRole("menuitem", { name: "Trend" }).click();
  await expect(page.locator("[data-pill=trend] .pill-value")).toHaveText("main.main");
  await page.goBack();
  await expect(page.locator("[data-pill=trend]")).toHaveCount(0);
  await page.locator("tr[data-function='runtime.main']").first().click();
  await page.keyboard.press("l");
  await expect(page.locator("[data-pill=trend] .pill-value")).toHaveText("runtime.main");
});

test("the same program all the time has not changed", async ({ serve, page }) => {
  for (let i = 0; i < 12; i++)
    await serve.push(CPU, { service_name: "api", kind: "cpu", time: `-${50 - 4 * i}m` });
  await page.goto(`${serve.url}/?view=tree`);
  const changed = page.getByRole("region", { name: "What changed here" });
  await expect(changed).toContainText("nothing beyond chance");
  const row = page.locator("tr[data-function='main.main']").first();
  await expect(row.locator(".trend-same .confidence")).toHaveText("p = 1.00");
});
