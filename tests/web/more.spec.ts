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
  page.on("dialog", (d) => void d.accept("mine"));
  await more.click();
  const saved = page.waitForResponse(/saveconfig/);
  await page.getByRole("menuitem", { name: /^Save/ }).click();
  expect((await saved).status()).toBe(200);
  await page.getByRole("button", { name: /^Remove focus/ }).click();
  expect(flame.param("f")).toBeNull();
  await more.click();
  await page.getByRole("menuitem", { name: "Settings: mine" }).click();
  expect(flame.param("f")).toBe("insert");
  expect(flame.param("n")).toBe("20");
  await more.click();
  const gone = page.waitForResponse(/deleteconfig/);
  await page.getByRole("menuitem", { name: "Delete settings mine" }).click();
  expect((await gone).status()).toBe(200);
  await more.click();
  await expect(page.getByRole("menuitem", { name: /mine/ })).toHaveCount(0);
});
