// SPDX-License-Identifier: MIT

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect, golden, root, test } from "./page.ts";

const CPU = "orders_labels.pb.gz";

test("is sorted by flat, and by what is clicked, both ways", async ({ open, page }) => {
  const flame = await open(CPU, "?view=top");
  const numbers = async (column: number) =>
    (await flame.rows.locator(`td:nth-child(${column})`).allTextContents()).map(Number);
  const sorted = (list: number[]) => [...list].sort((a, b) => b - a);
  await expect.poll(() => flame.rows.count()).toBeGreaterThan(20);
  const flat = await numbers(1);
  expect(flat).toEqual(sorted(flat));
  await page.getByRole("button", { name: /^Cum/ }).click();
  await expect.poll(() => flame.param("sort")).toBe("cum");
  await expect(page.getByRole("columnheader", { name: /^Cum/ })).toHaveAttribute(
    "aria-sort",
    "descending",
  );
  const cum = await numbers(3);
  expect(cum).toEqual(sorted(cum));
  await page.getByRole("button", { name: /^Cum/ }).click();
  await expect(page.getByRole("columnheader", { name: /^Cum/ })).toHaveAttribute(
    "aria-sort",
    "ascending",
  );
  await page.getByRole("button", { name: /^Function/ }).click();
  await expect(page.getByRole("columnheader", { name: /^Function/ })).toHaveAttribute(
    "aria-sort",
    "ascending",
  );
  const names = await flame.rows.evaluateAll((rows) => rows.map((r) => r.dataset.function ?? ""));
  expect(names).toEqual([...names].sort());
});

test("has the numbers of the command line", async ({ open }) => {
  test.skip(!commandHasTop(), "strobe top is not in this build");
  const text = execFileSync(strobe(), ["top", join(golden, CPU)], { encoding: "utf8" });
  const wanted = text
    .split("\n")
    .slice(text.split("\n").findIndex((l) => /flat%/.test(l)) + 1)
    .map((line) => line.trim().split(/\s+/))
    .filter((w) => w.length >= 6);
  const flame = await open(CPU, "?view=top");
  expect(wanted.length).toBeGreaterThan(5);
  for (const [flat, flatShare, , cum, cumShare, name] of wanted.slice(0, 15)) {
    const row = flame.page.locator(`tr[data-function="${name}"] td`);
    await expect(row.first()).toBeVisible();
    const shown = (await row.allTextContents()).slice(0, 4);
    const number = (s: string) => parseFloat(s);
    expect([number(shown[0]), shown[1], number(shown[2]), shown[3]]).toEqual([
      number(flat),
      flatShare,
      number(cum),
      cumShare,
    ]);
  }
});

function strobe(): string {
  return process.env.STROBE ?? join(root, "build/strobe");
}

function commandHasTop(): boolean {
  return /^ +top /m.test(execFileSync(strobe(), ["help"], { encoding: "utf8" }));
}

const settings: [string, string[], string][] = [
  ["mean=t", ["-mean"], CPU],
  ["unit=us", ["-unit=us"], CPU],
  ["unit=auto", ["-unit=auto"], CPU],
  ["nf=0.1&sort=cum", ["-nodefraction=0.1", "-cum"], CPU],
  ["trim=f&si=samples", ["-trim=false", "-sample_index=samples"], CPU],
  ["dropneg=t&mean=t", ["-drop_negative", "-mean", `-base=${join(golden, "kern_cpu.pb.gz")}`], CPU],
];

/** Name, flat and cum with their units, and their shares, in the order of the table. */
function tableOfCommand(...args: string[]): string[][] {
  const text = execFileSync(strobe(), ["top", ...args], { encoding: "utf8" });
  const lines = text.split("\n");
  return lines.slice(lines.findIndex((l) => /flat%/.test(l)) + 1, -1).map((line) => {
    const [flat, flatShare, , cum, cumShare, ...name] = line.trim().split(/\s+/);
    const plain = name.join(" ").replace(/ \((partial-)?inline\)$/, "");
    return [plain, flat, flatShare, cum, cumShare];
  });
}

async function tableOfPage(page: Page): Promise<string[][]> {
  const head = (await page.getByRole("columnheader", { name: /^Flat/ }).textContent()) ?? "";
  const unit = /\((.*)\)/.exec(head)?.[1] ?? "";
  const rows = await page.locator("tr[data-function]").evaluateAll((list) =>
    list.map((row) => [
      (row as HTMLElement).dataset.function ?? "",
      ...[...row.querySelectorAll("td")].slice(0, 4).map((cell) => cell.textContent ?? ""),
    ]),
  );
  const spell = (text: string): string => (text === "0" || !unit ? text : text + unit);
  return rows.map(([name, flat, a, cum, b]) => [name, spell(flat), a, spell(cum), b]);
}

for (const [query, flags, file] of settings) {
  const [base, wanted] = [flags.filter((f) => /base=/.test(f)), [...flags, join(golden, file)]];
  test(`${query}: rows, units and shares are those of strobe top`, async ({ open, page }) => {
    const trims = /nf=|trim=/.test(query) ? query : `${query}&trim=t`;
    await open(file, `ui/top?${trims}`, ...base);
    const want = tableOfCommand(...wanted).slice(0, 25);
    expect(want.length).toBeGreaterThan(3);
    await expect
      .poll(async () => (await tableOfPage(page)).slice(0, want.length))
      .toEqual(want);
  });
}

test("what the command line says holds for the page, and the address can say otherwise", async ({
  open,
  page,
}) => {
  const flags = ["-mean", "-unit=us", "-nodefraction=0.05"];
  await open(CPU, "ui/top", ...flags);
  const want = tableOfCommand(...flags, join(golden, CPU));
  await expect.poll(() => tableOfPage(page)).toEqual(want);
  await expect(page.getByText("more functions are left out, lighter than")).toBeVisible();
  await page.getByRole("button", { name: "show them" }).click();
  await expect.poll(() => page.locator("tr[data-function]").count()).toBeGreaterThan(want.length);
  await expect(page.getByText("more functions are left out")).toHaveCount(0);
});

test("follows the search", async ({ open }) => {
  const flame = await open(CPU, "?view=top");
  await expect(flame.rows.first()).toBeVisible();
  const before = await flame.rows.count();
  await flame.search.fill("^runtime\\.m");
  await expect(flame.rows.first()).toHaveAttribute("data-function", /^runtime\.m/);
  await expect.poll(() => flame.rows.count()).toBeLessThan(before);
  await expect(flame.matched).toHaveText(/% of 1\.33s matches/);
});

test("what is selected in one view is selected in the other", async ({ open, page }) => {
  const flame = await open(CPU, "?view=top");
  const row = flame.rows.nth(3);
  const name = (await row.getAttribute("data-function")) ?? "";
  await row.click();
  await expect(row).toHaveAttribute("aria-selected", "true");
  await expect(flame.status.locator(".name")).toHaveText(name);
  await page.keyboard.press("t");
  await expect(flame.nameOf(flame.chosen)).toHaveText(name);
  await page.keyboard.press("t");
  await expect(page.locator("tr[aria-selected=true]")).toHaveAttribute("data-function", name);
});

test("is walked by keys", async ({ open, page }) => {
  const flame = await open(CPU, "?view=top");
  await page.getByRole("region", { name: "Functions" }).focus();
  await page.keyboard.press("ArrowDown");
  await expect(flame.rows.nth(0)).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("ArrowDown");
  await expect(flame.rows.nth(1)).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("End");
  await expect(page.locator("tr[aria-selected=true]")).toBeInViewport();
});
