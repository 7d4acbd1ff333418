// SPDX-License-Identifier: MIT
//
// A page saved as one file: opened from the disk with the network off, it has the views of the live
// page; and what -export refuses.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect, Flame, golden, root, test as base } from "./page.ts";
import { axeFinds } from "./serve_page.ts";

const CPU = join(golden, "orders_labels.pb.gz");
const strobe = process.env.STROBE ?? join(root, "build/strobe");

function run(...args: string[]): { status: number | null; stderr: string; stdout: string } {
  return spawnSync(strobe, ["web", ...args], { encoding: "utf8", timeout: 60_000 });
}

function folder(): string {
  return mkdtempSync(join(tmpdir(), "strobe-saved-"));
}

const test = base.extend<{ saved: (args: string[], query?: string) => Promise<Flame> }>({
  saved: async ({ page, context }, use) => {
    const wrong: string[] = [];
    page.on("console", (m) => {
      if (m.type() === "error" || m.type() === "warning") wrong.push(m.text());
    });
    page.on("pageerror", (e) => wrong.push(String(e)));
    page.on("request", (r) => {
      if (!/^(file|data|blob):/.test(r.url())) wrong.push(`a request to ${r.url()}`);
    });
    await context.setOffline(true);
    await use(async (args, query = "") => {
      const file = join(folder(), "page.html");
      const { status, stderr } = run(`-export=${file}`, ...args);
      expect([status, stderr]).toEqual([0, expect.stringMatching(/^Saved the page as .*, \d+ kB/)]);
      await page.goto(`file://${file}${query}`);
      await expect(page.getByRole("contentinfo")).not.toBeEmpty();
      return new Flame(page);
    });
    expect(wrong).toEqual([]);
  },
});

async function show(page: Page, view: string): Promise<void> {
  await page.getByRole("button", { name: view, exact: true }).click();
}

test("has all views, without a network", async ({ saved, page }) => {
  const flame = await saved([CPU]);
  await expect(flame.callees.first()).toContainText("runtime.main");
  await expect(flame.status).toContainText("of 1.33s cpu in 2.69s");
  expect(await axeFinds(page)).toEqual([]);
  await show(page, "Tree");
  await expect(page.getByRole("row", { name: /runtime\.main/ }).first()).toBeVisible();
  await show(page, "Top");
  await expect(flame.rows.first()).toHaveAttribute("data-function", "runtime.asyncPreempt");
  await flame.rows.first().click();
  await show(page, "Callers");
  await expect(page.getByRole("application").first()).toBeVisible();
  await show(page, "Graph");
  await expect(page.locator(".graph-node").first()).toBeVisible();
  expect(await axeFinds(page)).toEqual([]);
  await show(page, "Source");
  await expect(page.locator("tr.source-head").first()).toContainText("runtime.asyncPreempt");
  await page.getByRole("button", { name: "More" }).click();
  await expect(page.getByRole("menuitem", { name: "Disassembly" })).toBeVisible();
  await page.getByRole("menuitem", { name: "Peek" }).click();
  await expect(page.locator("pre.report")).toContainText("| runtime.asyncPreempt runtime/preempt");
});

test("searches, refines, groups and goes back", async ({ saved, page }) => {
  const flame = await saved([CPU], "?view=top");
  await flame.search.fill("malloc");
  await expect(flame.matched).toContainText("of 1.33s matches");
  await page.getByRole("button", { name: "focus what matches" }).click();
  const top = spawnSync(strobe, ["top", "-focus=(?i)malloc", CPU], { encoding: "utf8" }).stdout;
  const share = /, ([\d.]+%) of/.exec(top)?.[1];
  await expect(page.locator("#left")).toHaveText(`${share} of 1.33s left`);
  await show(page, "Graph");
  await expect(page.getByText("of the whole profile only")).toBeVisible();
  await page.goBack();
  await page.goBack();
  await expect(page.locator("#left")).toHaveCount(0);
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Group by stage" }).click();
  await show(page, "Flame");
  await expect(flame.callees.first()).toContainText("index");
});

test("has all granularities, with the numbers of strobe top", async ({ saved, page }) => {
  const flame = await saved(["-lines", CPU], "?view=top&trim=t");
  const rows = (...flags: string[]): string[] =>
    spawnSync(strobe, ["top", ...flags, CPU], { encoding: "utf8" })
      .stdout.split("\n")
      .filter((line) => /^ +\S+ +[\d.e-]+% /.test(line))
      .map((line) => line.trim().split(/\s+/).slice(5).join(" ").replace(/ \(.*inline\)$/, ""));
  for (const [choice, flag] of [
    ["lines", "-lines"],
    ["files", "-files"],
    ["addresses", "-addresses"],
  ]) {
    await page.goto(page.url().replace(/&g=\w+|$/, `&g=${choice}`));
    await expect(page.locator("[data-pill=g]")).toContainText(choice);
    const want = rows(flag);
    expect(want.length).toBeGreaterThan(10);
    await expect
      .poll(() => flame.rows.evaluateAll((l) => l.slice(0, 10).map((r) => r.dataset.function)))
      .toEqual(want.slice(0, 10));
  }
});

test("has both sides of a difference", async ({ saved, page }) => {
  await saved([`-diff_base=${join(golden, "kern_cpu.pb.gz")}`, CPU]);
  await expect(page.getByText(/ before, .* after: /)).toBeVisible();
  await page.getByRole("combobox", { name: "Difference" }).selectOption("shares");
  await expect(page.getByText("(scaled) before")).toBeVisible();
});

test("has the source of its functions, and no other", async ({ saved, page }) => {
  const dir = folder();
  const sources = join(dir, "example.com/acme/orders/catalog");
  mkdirSync(sources, { recursive: true });
  const lines = Array.from({ length: 200 }, (_, i) => `line ${i + 1}`);
  writeFileSync(join(sources, "catalog.go"), lines.join("\n"));
  writeFileSync(join(sources, "other.go"), "secret");
  const flame = await saved([`-source_path=${dir}`, CPU], "?view=top");
  await flame.search.fill("Tree.*Find");
  await flame.rows.first().click();
  await show(page, "Source");
  await expect(page.locator("td.code", { hasText: /^line 6\d$/ }).first()).toBeVisible();
  expect(readFileSync(new URL(page.url()).pathname, "utf8")).not.toContain("secret");
  await expect(page.getByRole("checkbox", { name: "instructions" })).toHaveCount(0);
});

test.describe("without dot", () => {
  test("the engine that draws the graph is in the file", async ({ page, context }) => {
    const dir = folder();
    const file = join(dir, "page.html");
    mkdirSync(join(dir, "bin"));
    const { status } = spawnSync(strobe, ["web", `-export=${file}`, CPU], {
      env: { ...process.env, PATH: join(dir, "bin") },
    });
    expect(status).toBe(0);
    await context.setOffline(true);
    await page.goto(`file://${file}?view=graph`);
    await expect(page.locator(".graph-node").first()).toBeVisible({ timeout: 30_000 });
  });
});

base("the live page saves itself, with what it shows", async ({ open, page, context }) => {
  await open("orders_labels.pb.gz", "ui/top?f=insert");
  await page.getByRole("button", { name: "More" }).click();
  const coming = page.waitForEvent("download");
  await page.getByRole("menuitem", { name: "Save this page as one file" }).click();
  const file = join(folder(), "page.html");
  await (await coming).saveAs(file);
  const saved = await context.newPage();
  await saved.goto(`file://${file}`);
  await expect(saved.locator("[data-pill=f] .pill-value")).toHaveText("insert");
  await expect(saved.locator("tr[data-function]").first()).toBeVisible();
  await saved.close();
});

base("what cannot be saved is said", () => {
  const dir = folder();
  const missing = run(`-export=${join(dir, "no/page.html")}`, CPU);
  expect(missing.status).toBe(2);
  expect(missing.stderr).toContain(`no/page.html: no such file or directory`);
  const onto = run(`-export=${dir}`, CPU);
  expect([onto.status, onto.stderr]).toEqual([2, expect.stringContaining("is a directory")]);
  const served = run("-export=x.html", "-http=localhost:0", CPU);
  expect([served.status, served.stderr]).toEqual([2, expect.stringContaining("leave out -http")]);
  const means = run("-export=x.html", "-mean", CPU);
  expect([means.status, means.stderr]).toEqual([2, expect.stringContaining("leave out -mean")]);
  expect(existsSync("x.html")).toBe(false);
});

base("an older file is replaced whole", () => {
  const file = join(folder(), "page.html");
  writeFileSync(file, "old", { mode: 0o644 });
  expect(run(`-export=${file}`, CPU).status).toBe(0);
  expect(readFileSync(file, "utf8")).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
  expect(statSync(file).mode & 0o777).toBe(0o644);
  expect(run("-export=-", CPU).stdout).toBe(readFileSync(file, "utf8"));
});
