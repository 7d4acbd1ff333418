// SPDX-License-Identifier: MIT
//
// The menu: groups by label, settings saved under a name, the plain reports.

import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, field, golden, root, test } from "./page.ts";
import { axeFinds } from "./serve_page.ts";

const CPU = "orders_labels.pb.gz";
const strobe = process.env.STROBE ?? join(root, "build/strobe");

test.use({ env: { XDG_CONFIG_HOME: mkdtempSync(join(tmpdir(), "strobe-config-")) } });

test("a group by label stands at the root, and is a pill", async ({ open, page }) => {
  const flame = await open(CPU);
  await page.getByRole("button", { name: "More" }).click();
  expect(await axeFinds(page)).toEqual([]);
  await page.getByRole("menuitem", { name: "Group by stage" }).click();
  await expect.poll(() => flame.param("tagroot")).toBe("stage");
  await expect(flame.callees.first()).toContainText("index");
  await expect(page.locator("[data-pill=tagroot]")).toBeVisible();
  await page.locator("[data-pill=tagroot] button").click();
  await expect.poll(() => flame.param("tagroot")).toBeNull();
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
  await expect.poll(() => flame.param("f")).toBeNull();
  await more.click();
  await page.getByRole("menuitem", { name: "Settings: mine" }).click();
  await expect.poll(() => flame.param("f")).toBe("insert");
  await expect.poll(() => flame.param("n")).toBe("20");
  await more.click();
  await expect(page.getByRole("menuitem", { name: "✓ Settings: mine" })).toBeVisible();
  await page.getByRole("menuitem", { name: "Settings: Default" }).click();
  await expect.poll(() => flame.param("f")).toBeNull();
  await expect.poll(() => flame.param("n")).toBeNull();
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
  await expect.poll(() => all("f")).toEqual(["(?i)insert"]);
  await expect.poll(() => all("q")).toEqual([]);
  await flame.search.fill("Malloc");
  await more.click();
  await page.getByRole("menuitem", { name: "Hide" }).click();
  await expect.poll(() => all("h")).toEqual(["runtime", "Malloc"]);
  await flame.search.fill("Insert");
  await more.click();
  await page.getByRole("menuitem", { name: "Show from" }).click();
  await expect.poll(() => all("sf")).toEqual(["Insert"]);
  await more.click();
  await page.getByRole("menuitem", { name: "Reset" }).click();
  for (const name of ["f", "h", "sf"]) await expect.poll(() => all(name)).toEqual([]);
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
  await expect.poll(async () => (await pills.boundingBox())?.height ?? 0).toBe(0);
  await page.keyboard.press("/");
  await page.keyboard.type("a");
  await expect(pills).toContainText("matches");
});

/** One sample of one function, and where its kind is explained. */
function profileWithDoc(url: string): string {
  const type = Buffer.concat([field(1, 1), field(2, 2)]);
  const sample = Buffer.concat([field(1, 1), field(2, 5)]);
  const location = Buffer.concat([field(1, 1), field(4, Buffer.concat([field(1, 1)]))]);
  const fn = Buffer.concat([field(1, 1), field(2, 3)]);
  const strings = ["", "samples", "count", "main", url].map((s) => field(6, s));
  const file = join(mkdtempSync(join(tmpdir(), "strobe-doc-")), "doc.pb");
  const parts = [field(1, type), field(2, sample), field(4, location), field(5, fn)];
  writeFileSync(file, Buffer.concat([...parts, ...strings, field(15, 4)]));
  return file;
}

test("a profile's documentation is a link to elsewhere, or none", async ({ open, page }) => {
  const items = page.getByRole("menuitem", { name: "Documentation of the profile" });
  await open(profileWithDoc("https://example.com/kinds"));
  await page.getByRole("button", { name: "More" }).click();
  await expect(items).toBeVisible();
  await open(profileWithDoc("javascript:alert(1)"));
  await page.getByRole("button", { name: "More" }).click();
  await expect(page.getByRole("menuitem", { name: "Peek" })).toBeVisible();
  await expect(items).toHaveCount(0);
});

const viewItems: [string, RegExp, string][] = [
  ["Flame", /\/ui\/flamegraph\?/, ".flame-area"],
  ["Top", /\/ui\/top\?/, "table[aria-label='Functions by cost']"],
  ["Graph", /\/ui\/graph\?/, ".graph-node"],
  ["Source", /\/ui\/source\?/, "tr.source-head"],
  ["Peek", /\/ui\/peek\?/, "pre.report"],
  ["Disassembly", /\/ui\/disasm\?/, "main.text-view"],
];

test.describe("a profile without its binary", () => {
  test.use({ allowed: /status of 400/ }); // there is no disassembly of it
  test("each of pprof's views is one step away, at pprof's address", async ({ open, page }) => {
    await open(CPU, "ui/top?si=samples");
    for (const [name, address, shown] of viewItems) {
      if (name === "Peek" || name === "Disassembly") {
        await page.getByRole("button", { name: "More" }).click();
        await page.getByRole("menuitem", { name, exact: true }).click();
      } else await page.getByRole("button", { name, exact: true }).click();
      await expect(page).toHaveURL(address);
      await expect(page).toHaveURL(/si=samples/);
      await expect(page.locator(shown).first()).toBeVisible();
    }
  });
});

test("Sample, Ignore, Show and Download do what pprof's menus do", async ({ open, page }) => {
  const flame = await open(CPU, "ui/top?i=runtime.memmove");
  await page.getByRole("combobox", { name: "Sample type" }).selectOption({ label: "samples" });
  await expect.poll(() => flame.param("si")).toBe("samples");
  await expect(page.getByRole("columnheader", { name: "Flat", exact: true })).toBeVisible();
  const all = (name: string): string[] => new URL(page.url()).searchParams.getAll(name);
  await flame.search.fill("Malloc");
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Ignore" }).click();
  await expect.poll(() => all("i")).toEqual(["runtime.memmove", "Malloc"]);
  for (const search of ["Tree", "Insert"]) {
    await flame.search.fill(search);
    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("menuitem", { name: "Show", exact: true }).click();
    await expect.poll(() => all("s")).toEqual([search]);
  }
  await page.getByRole("button", { name: "More" }).click();
  const coming = page.waitForEvent("download");
  await page.getByRole("menuitem", { name: "Download the profile" }).click();
  const file = await (await coming).path();
  const raw = (path: string): string =>
    execFileSync(strobe, ["pprof", "-raw", path], { encoding: "utf8" });
  expect(raw(file)).toBe(raw(join(golden, CPU)));
});

test.describe("settings that are none", () => {
  test.use({ allowed: /status of 400/ });
  for (const query of ["n=abc", "nf=x", "trim=maybe", "calltree=2"])
    test(`${query}: the page says what pprof says`, async ({ open, page }) => {
      await open(CPU, `ui/top?${query}`);
      await expect(page.getByText("error setting config field")).toBeVisible();
    });
});
