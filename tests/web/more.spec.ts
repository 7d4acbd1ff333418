// SPDX-License-Identifier: MIT
//
// The menu: groups by label, settings saved under a name, the plain reports.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "./page.ts";
import { axeFinds } from "./serve_page.ts";

const CPU = "orders_labels.pb.gz";

test.use({ env: { XDG_CONFIG_HOME: mkdtempSync(join(tmpdir(), "strobe-config-")) } });

test("a group by label stands at the root, and is a pill", async ({ open, page }) => {
  const flame = await open(CPU);
  await page.getByRole("button", { name: "More" }).click();
  expect(await axeFinds(page)).toEqual([]);
  await page.getByRole("menuitem", { name: "Group by stage" }).click();
  expect(flame.param("tagroot")).toBe("stage");
  await expect(flame.callees.first()).toContainText("index");
  await expect(page.locator("[data-pill=tagroot]")).toBeVisible();
  await page.locator("[data-pill=tagroot] button").click();
  expect(flame.param("tagroot")).toBeNull();
});

test("settings are saved under a name, come back, and are deleted", async ({ open, page }) => {
  const flame = await open(CPU, "?f=insert&n=20");
  const more = page.getByRole("button", { name: "More" });
  const dialog = page.getByRole("dialog");
  await more.click();
  await page.getByRole("menuitem", { name: /^Save these/ }).click();
  await expect(page.getByRole("combobox", { name: "Name of the settings" })).toBeFocused();
  expect(await axeFinds(page)).toEqual([]);
  await page.keyboard.type("mine");
  await page.keyboard.press("Enter");
  await expect(dialog).toBeHidden();
  await page.getByRole("button", { name: /^Remove focus/ }).click();
  expect(flame.param("f")).toBeNull();
  await more.click();
  await page.getByRole("menuitem", { name: "Settings: mine" }).click();
  expect(flame.param("f")).toBe("insert");
  expect(flame.param("n")).toBe("20");
  await more.click();
  await expect(page.getByRole("menuitem", { name: "✓ Settings: mine" })).toBeVisible();
  await page.getByRole("menuitem", { name: "Settings: Default" }).click();
  expect(flame.param("f")).toBeNull();
  expect(flame.param("n")).toBeNull();
  await more.click();
  await page.getByRole("menuitem", { name: "Delete settings mine" }).click();
  await expect(dialog).toContainText("Delete mine?");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(dialog).toBeHidden();
  await more.click();
  await page.getByRole("menuitem", { name: "Delete settings mine" }).click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(dialog).toBeHidden();
  await more.click();
  await expect(page.getByRole("menuitem", { name: /^Save these/ })).toBeVisible();
  await expect(page.getByRole("menuitem", { name: /mine/ })).toHaveCount(0);
});

test.describe("settings that cannot be saved", () => {
  test.use({
    env: { XDG_CONFIG_HOME: "/dev/null" },
    allowed: /status of 400/,
  });
  test("the dialog says why, and stays", async ({ open, page }) => {
    await open(CPU);
    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("menuitem", { name: /^Save these/ }).click();
    await page.keyboard.type("mine");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("alert")).toContainText("/dev/null");
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toBeHidden();
  });
});

test("Refine does what pprof's menu does", async ({ open, page }) => {
  const flame = await open(CPU, "?f=main&h=runtime");
  const more = page.getByRole("button", { name: "More" });
  const all = (name: string): string[] => new URL(page.url()).searchParams.getAll(name);
  await more.click();
  const focus = page.getByRole("menuitem", { name: "Focus" });
  await expect(focus).toHaveAttribute("aria-disabled", "true");
  await page.keyboard.press("Escape");
  await flame.search.fill("insert");
  await more.click();
  await page.getByRole("menuitem", { name: "Focus" }).click();
  expect(all("f")).toEqual(["(?i)insert"]);
  expect(all("q")).toEqual([]);
  await flame.search.fill("Malloc");
  await more.click();
  await page.getByRole("menuitem", { name: "Hide" }).click();
  expect(all("h")).toEqual(["runtime", "Malloc"]);
  await flame.search.fill("Insert");
  await more.click();
  await page.getByRole("menuitem", { name: "Show from" }).click();
  expect(all("sf")).toEqual(["Insert"]);
  await more.click();
  await page.getByRole("menuitem", { name: "Reset" }).click();
  for (const name of ["f", "h", "sf"]) expect(all(name)).toEqual([]);
});

test("what pprof warns of is shown, read out, and can be put away", async ({ open, page }) => {
  const flame = await open(CPU, "?i=nosuch&h=nothing");
  const lines = page.getByRole("status", { name: "Warnings" });
  await expect(lines).toContainText("Ignore expression matched no samples");
  await expect(lines).toContainText("Hide expression matched no samples");
  expect(await axeFinds(page)).toEqual([]);
  await lines.getByRole("button", { name: "Dismiss" }).click();
  await expect(lines).toBeEmpty();
  await page.getByRole("button", { name: "Source", exact: true }).click();
  await expect(page.getByRole("region", { name: /^Source of/ })).toBeVisible();
  await expect(lines).toBeEmpty();
  await page.getByRole("button", { name: /^Remove ignore/ }).click();
  await page.getByRole("button", { name: /^Remove hide/ }).click();
  await page.getByRole("button", { name: "Flame", exact: true }).click();
  await expect(flame.area).toBeVisible();
  await page.goBack();
  await page.goBack();
  await expect(lines).toContainText("Hide expression matched no samples");
});

test("nothing is kept free for pills where there are none", async ({ open, page }) => {
  await open("kern_cpu.pb.gz", "ui/source");
  await expect(page.getByRole("region", { name: /^Source of/ })).toBeVisible();
  const pills = page.getByRole("region", { name: "Refinements" });
  expect((await pills.boundingBox())?.height ?? 0).toBe(0);
  await page.keyboard.press("/");
  await page.keyboard.type("a");
  await expect(pills).toContainText("matches");
});
