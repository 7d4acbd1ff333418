// SPDX-License-Identifier: MIT
//
// Addresses that people know from pprof's page lead to the same view with the same refinement.
// tests/web/pages.mjs asks the same addresses without a browser.
import { join } from "node:path";
import { expect, golden, serve, stop, test } from "./page.ts";

const CPU = "orders_labels.pb.gz";

const views = [
  ["ui/", "Flame"],
  ["ui/?si=samples", "Flame"],
  ["ui/flamegraph2?f=main", "Flame"],
  ["ui/top?sort=cum", "Top"],
  ["ui/graph", "Graph"],
  ["?view=tree", "Tree"],
] as const;

for (const [path, name] of views)
  test(`${path} is the view ${name}`, async ({ open, page }) => {
    await open(CPU, path);
    await expect(page.locator('[aria-current="page"]')).toHaveText(name);
    if (name === "Graph") await page.locator(".graph-node").first().waitFor();
  });

test("parameters are refinements, and stay in the address from view to view", async ({
  open,
  page,
}) => {
  await open(CPU, "ui/top?f=main&h=runtime&si=samples");
  await expect(page.getByRole("button", { name: "Remove focus main" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Remove hide runtime" })).toBeVisible();
  await page.getByRole("button", { name: "Flame", exact: true }).click();
  await expect(page).toHaveURL(/\/ui\/flamegraph\?.*f=main/);
  await expect(page).toHaveURL(/[?&]h=runtime/);
  await expect(page).toHaveURL(/[?&]si=samples/);
  await expect(page).not.toHaveURL(/view=/);
  await page.goBack();
  await expect(page).toHaveURL(/\/ui\/top\?/);
});

test("a pivot of pprof's flame graph has its callers and callees", async ({ open, page }) => {
  await open(CPU, "ui/flamegraph?p=^runtime\\.main$");
  await expect(page.locator('[aria-current="page"]')).toHaveText("Callers");
  await expect(page.getByText("runtime.main").first()).toBeVisible();
});

test("what the command line says holds where the address says nothing", async ({ page }) => {
  const server = await serve("-focus=asyncPreempt", "-sample_index=samples", join(golden, CPU));
  try {
    const left = async (query: string): Promise<number> => {
      const answer = await page.request.get(`${server.url}/api/text?report=top&${query}`);
      const found = /accounting for (\d+),/.exec(await answer.text());
      return Number(found?.[1]);
    };
    const focused = await left("");
    expect(focused).toBeGreaterThan(0);
    expect(await left("f=.")).toBeGreaterThan(focused);
    await page.goto(server.url);
    const pills = page.getByRole("region", { name: "Refinements" });
    await expect(pills.getByText("asyncPreempt")).toBeVisible();
    await page.goto(`${server.url}/ui/top?f=main&g=lines`);
    await expect(pills.getByRole("button", { name: "Remove granularity lines" })).toBeVisible();
    await expect(pills.getByText("asyncPreempt")).toHaveCount(0);
  } finally {
    expect(await stop(server)).toBe(0);
  }
});
