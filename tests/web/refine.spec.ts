// SPDX-License-Identifier: MIT
//
// Refinements: that their numbers are the command line's, that they can be undone, and every way to
// ask for one.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, golden, root, test, type Flame } from "./page.ts";

const CPU = "orders_labels.pb.gz";

function commandLine(...flags: string[]): { left: string; rows: string[][] } {
  const strobe = process.env.STROBE ?? join(root, "build/strobe");
  const text = execFileSync(strobe, ["top", ...flags, join(golden, CPU)], { encoding: "utf8" });
  const lines = text.split("\n");
  const rows = lines
    .slice(lines.findIndex((l) => /flat%/.test(l)) + 1)
    .map((l) => l.trim().split(/\s+/))
    .filter((w) => w.length >= 6);
  return { left: /, ([\d.]+%) of/.exec(text)?.[1] ?? "", rows };
}

/** Without what the command line says of inlined functions. */
function plain(words: string[]): string {
  return words.join(" ").replace(/ \((partial-)?inline\)$/, "");
}

async function expectRows(flame: Flame, wanted: string[][]): Promise<void> {
  expect(wanted.length).toBeGreaterThan(2);
  for (const [flat, flatShare, , cum, cumShare, ...name] of wanted.slice(0, 12)) {
    const row = flame.page.locator(`tr[data-function=${JSON.stringify(plain(name))}] td`);
    await expect(row.first()).toBeVisible();
    const shown = (await row.allTextContents()).slice(0, 4);
    expect([shown[1], shown[3]]).toEqual([flatShare, cumShare]);
    const same = (a: string, b: string) => parseFloat(a) === parseFloat(b) || a.length > b.length;
    expect(same(shown[0], flat) && same(shown[2], cum)).toBe(true);
  }
}

const asked: [string, string, string[]][] = [
  ["focus", "f=malloc", ["-focus=malloc"]],
  ["ignore", "i=catalog", ["-ignore=catalog"]],
  ["hide", "h=runtime", ["-hide=runtime"]],
  ["show", "s=catalog", ["-show=catalog"]],
  ["show from", "sf=labelled", ["-show_from=labelled"]],
  ["label", "tf=stage%3Dindex", ["-tagfocus=stage=index"]],
  [
    "all of it",
    "f=insert&h=runtime&i=sweep&tf=tenant%3Dbeta",
    ["-focus=insert", "-hide=runtime", "-ignore=sweep", "-tagfocus=tenant=beta"],
  ],
];

for (const [name, query, flags] of asked) {
  test(`${name}: the numbers are those of strobe top`, async ({ open }) => {
    const flame = await open(CPU, `?view=top&${query}`);
    const { left, rows } = commandLine(...flags);
    await expectRows(flame, rows);
    await expect(flame.page.locator("#left")).toHaveText(`${left} of 1.33s left`);
  });
}

test("a pill says what is left, and goes away by its button and by Back", async ({
  open,
  page,
}) => {
  const flame = await open(CPU, "?sel=runtime.mallocgc");
  await page.keyboard.press("f");
  await expect(flame.pill("f")).toHaveText("runtime.mallocgc");
  await expect(page.locator("#left")).toHaveText(/^\d+\.\d\d% of 1\.33s left$/);
  await expect.poll(() => flame.param("f")).toBe("^runtime\\.mallocgc$");
  await page.getByRole("button", { name: "Remove focus runtime.mallocgc" }).click();
  await expect(flame.pill("f")).toHaveCount(0);
  await expect(page.locator("#left")).toHaveCount(0);
  await page.goBack();
  await expect(flame.pill("f")).toHaveCount(1);
  await page.goBack();
  await expect(flame.pill("f")).toHaveCount(0);
});

test("a menu at a box refines, and is a menu by the keyboard too", async ({ open, page }) => {
  const flame = await open(CPU);
  const { x, y } = await flame.pointOf(flame.callees.nth(1));
  const name = (await flame.nameOf(flame.callees.nth(1)).textContent()) ?? "";
  await page.mouse.click(x, y, { button: "right" });
  await expect(page.getByRole("menu", { name })).toBeVisible();
  await page.getByRole("menuitem", { name: "Ignore" }).click();
  await expect(flame.pill("i")).toHaveText(name);
  await expect(flame.callees.getByText(name, { exact: true })).toHaveCount(0);
  await flame.area.focus();
  await page.keyboard.press("ArrowDown");
  await expect(flame.nameOf(flame.chosen)).toHaveText("runtime.main");
  await page.keyboard.press("ArrowDown");
  await expect(flame.nameOf(flame.chosen)).toHaveText("main.main");
  await page.keyboard.press("Shift+F10");
  await expect(page.getByRole("menuitem", { name: "Zoom" })).toBeFocused();
  for (let i = 0; i < 6; i++) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(flame.pill("sf")).toHaveText("main.main");
  await expect(flame.chosen).toHaveAttribute("data-depth", "1");
  await expect(flame.nameOf(flame.chosen)).toHaveText("main.main");
  await flame.area.focus();
  await page.keyboard.press("Shift+F10");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("menu")).toHaveCount(0);
  await expect(flame.area).toBeFocused();
});

test("the legend is a filter", async ({ open, page }) => {
  const flame = await open(CPU);
  await page.getByRole("button", { name: /^runtime \d/ }).click();
  await page.getByRole("menuitem", { name: "Hide" }).click();
  await expect(flame.pill("h")).toBeVisible();
  await expect(flame.nameOf(flame.callees.first())).toHaveText("main.main");
  await expect(page.getByRole("button", { name: /^runtime \d/ })).toHaveCount(0);
});

test("labels can be added, and values with quotes are found", async ({ open, page }) => {
  const flame = await open(CPU);
  const add = page.getByRole("combobox", { name: "Add a label as a filter" });
  const quoted = add.locator("option", { hasText: 'it\'s "quoted"' });
  await add.selectOption((await quoted.getAttribute("value")) ?? "");
  await expect(flame.pill("tf")).toHaveText('it\'s "quoted"');
  await expect(page.locator("#left")).toHaveText("15.04% of 1.33s left");
});

test("a search becomes a refinement", async ({ open, page }) => {
  const flame = await open(CPU);
  await flame.search.fill("MALLOC");
  await expect(flame.matched).toHaveText("no function matches");
  await flame.search.fill("malloc");
  await expect(flame.matched).toHaveText(/^[\d.]+%/);
  const share = /^[\d.]+%/.exec((await flame.matched.textContent()) ?? "")?.[0];
  await page.getByRole("button", { name: "focus what matches" }).click();
  await expect(flame.search).toHaveValue("");
  await expect(flame.pill("f")).toHaveText("(?i)malloc");
  await expect(page.locator("#left")).toHaveText(`${share} of 1.33s left`);
});

test("refinements that leave nothing say so, and can be taken away", async ({ open, page }) => {
  const flame = await open(CPU, "?f=nothing+is+called+so");
  await expect(page.getByRole("heading", { name: /leave nothing/ })).toBeVisible();
  await page.getByRole("button", { name: "take all away" }).click();
  await expect(flame.nameOf(flame.callees.first())).toHaveText("runtime.main");
});

test("an expression that is none is explained, and its pill is still there", async ({
  open,
  page,
}) => {
  const wrong: string[] = [];
  page.on("response", (r) => {
    if (r.status() === 400 && r.url().includes("/api/")) wrong.push(r.url());
  });
  page.removeAllListeners("console");
  const flame = await open(CPU, "?f=(");
  await expect(page.getByText("missing closing )")).toBeVisible();
  expect(wrong.length).toBe(1);
  await page.getByRole("button", { name: "Remove focus (" }).click();
  await expect(flame.nameOf(flame.callees.first())).toHaveText("runtime.main");
});
