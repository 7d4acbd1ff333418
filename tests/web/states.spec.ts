// SPDX-License-Identifier: MIT
//
// axe on the states between the views: open menus and dialogs, cut tables, blank boxes, profiles
// without names, a file on its way, a server that is gone. Light and dark.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, field, Flame, golden, test } from "./page.ts";
import { axeFinds, fill, test as serveTest } from "./serve_page.ts";

const CPU = "orders_labels.pb.gz";
const base = `-base=${join(golden, "kern_cpu.pb.gz")}`;
const schemes = ["light", "dark"] as const;

/** One sample of one address, in a program that is not there. */
function profileWithoutNames(): string {
  const file = join(mkdtempSync(join(tmpdir(), "strobe-nameless-")), "nameless.pb");
  const parts = [
    field(1, Buffer.concat([field(1, 1), field(2, 2)])),
    field(2, Buffer.concat([field(1, 1), field(2, 5)])),
    field(3, Buffer.concat([field(1, 1), field(2, 64), field(3, 127), field(5, 3)])),
    field(4, Buffer.concat([field(1, 1), field(2, 1), field(3, 100)])),
    ...["", "samples", "count", "/nowhere/program"].map((s) => field(6, s)),
  ];
  writeFileSync(file, Buffer.concat(parts));
  return file;
}

for (const colorScheme of schemes) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test.describe("settings", () => {
      test.use({ env: { XDG_CONFIG_HOME: mkdtempSync(join(tmpdir(), "strobe-states-")) } });
      test("menus, dialogs and the help", async ({ open, page }) => {
        const flame = await open(CPU, "?f=main");
        const more = page.getByRole("button", { name: "More" });
        await more.click();
        await page.getByRole("menuitem", { name: /^Save these/ }).click();
        await expect(page.getByRole("dialog")).toBeVisible();
        expect(await axeFinds(page)).toEqual([]);
        await page.keyboard.type("mine");
        await page.keyboard.press("Enter");
        await expect(page.getByRole("dialog")).toBeHidden();
        await more.click();
        await expect(page.getByRole("menuitem", { name: "✓ Settings: mine" })).toBeVisible();
        expect(await axeFinds(page)).toEqual([]);
        await page.getByRole("menuitem", { name: "Delete settings mine" }).click();
        await expect(page.getByRole("dialog")).toContainText("Delete mine?");
        expect(await axeFinds(page)).toEqual([]);
        await page.keyboard.press("Escape");
        await flame.area.focus();
        await page.keyboard.press("ArrowDown");
        await page.keyboard.press("Shift+F10");
        await expect(page.getByRole("menuitem", { name: "Zoom" })).toBeFocused();
        expect(await axeFinds(page)).toEqual([]);
        await page.keyboard.press("Escape");
        await page.keyboard.press("?");
        await expect(page.getByRole("dialog")).toBeVisible();
        expect(await axeFinds(page)).toEqual([]);
      });
    });

    test("a table that is cut, and boxes that are left blank", async ({ open, page }) => {
      const flame = await open(CPU, "ui/top?nf=0.05&dropneg=t", base);
      await expect(page.getByText("more functions are left out")).toBeVisible();
      expect(await axeFinds(page)).toEqual([]);
      await page.getByRole("button", { name: "Flame", exact: true }).click();
      await expect(flame.area).toHaveAttribute("data-drawn", /\d/);
      expect(await axeFinds(page)).toEqual([]);
    });

    test.describe("no names", () => {
      test.use({ allowed: /status of 40/ });
      test("what has no names says what to do, in each view", async ({ open, page }) => {
        await open(profileWithoutNames());
        await expect(page.getByRole("heading", { name: /^No frame .* has a name/ })).toBeVisible();
        await expect(page.locator("pre")).toHaveText("strobe web PROGRAM PROFILE");
        expect(await axeFinds(page)).toEqual([]);
        await page.getByRole("button", { name: "Source", exact: true }).click();
        await expect(page.getByRole("heading", { name: /no source to show/ })).toBeVisible();
        expect(await axeFinds(page)).toEqual([]);
        await page.getByRole("button", { name: "Top", exact: true }).click();
        await expect(page.locator("tr[data-function]").first()).toContainText("program");
      });
    });
  });

  serveTest.describe(`the dashboard, ${colorScheme}`, () => {
    serveTest.use({ colorScheme, allowed: /ERR_FAILED/ });
    serveTest("a file on its way, and a server that is gone", async ({ serve, page }) => {
      await fill(serve);
      await page.goto(serve.link);
      const flame = new Flame(page);
      await expect(flame.status).toContainText("of 15.96s cpu");
      await page.route("**/api/v1/profiles?*", async (route) => {
        if (route.request().method() !== "POST") await route.continue();
      });
      await page.locator("input[type=file]").setInputFiles(join(golden, CPU));
      const form = page.getByRole("form", { name: "Upload" });
      await form.getByRole("button", { name: "Send" }).click();
      await expect(page.getByRole("progressbar", { name: /^Sending/ })).toBeVisible();
      expect(await axeFinds(page)).toEqual([]);
      await page.route("**/api/**", (route) => route.abort());
      await page.getByRole("button", { name: "Time", exact: true }).click();
      await expect(page.getByText("no longer answers").first()).toBeVisible();
      expect(await axeFinds(page)).toEqual([]);
    });
  });
}
