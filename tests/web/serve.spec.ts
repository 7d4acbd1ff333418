// SPDX-License-Identifier: MIT
//
// The dashboard, on a `strobe serve` of its own with profiles that were pushed to it.

import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import { expect, golden, root, test as base, Flame } from "./page.ts";

const CPU = "orders_labels.pb.gz";
const BLOCK = "orders_block.pb.gz";

interface Dashboard {
  url: string;
  push: (file: string, params: Record<string, string>) => Promise<void>;
}

const test = base.extend<{ serve: Dashboard }>({
  serve: async ({ page }, use) => {
    const dir = mkdtempSync(join(tmpdir(), "strobe-serve-"));
    const strobe = process.env.STROBE ?? join(root, "build/strobe");
    const child: ChildProcess = spawn(
      strobe,
      ["serve", "--listen", "127.0.0.1:0", "--store", `sqlite:${join(dir, "s.db")}`],
      { env: { ...process.env, XDG_STATE_HOME: dir, HOME: dir } },
    );
    const [url, token] = await new Promise<[string, string]>((resolve, reject) => {
      let said = "";
      const hear = (data: Buffer): void => {
        said += data.toString();
        const found = /(http:\S+?)\/#token=([0-9a-f]+)/.exec(said);
        if (found) resolve([found[1], found[2]]);
      };
      child.stderr?.on("data", hear);
      child.stdout?.on("data", hear);
      child.on("exit", (code) => reject(new Error(`strobe serve ended with ${code}: ${said}`)));
    });
    const wrong: string[] = [];
    page.on("console", (m) => {
      if (m.type() === "error" || m.type() === "warning") wrong.push(m.text());
    });
    page.on("pageerror", (e) => wrong.push(String(e)));
    page.on("request", (r) => {
      if (!r.url().startsWith(`${url}/`) && !/^(data|about):/.test(r.url())) wrong.push(r.url());
    });
    await use({
      url,
      push: async (file, params) => {
        const answer = await fetch(`${url}/api/v1/profiles?${new URLSearchParams(params)}`, {
          method: "POST",
          headers: { Authorization: `Bearer ${token}` },
          body: readFileSync(join(golden, file)),
        });
        expect(answer.status).toBe(200);
      },
    });
    await page.goto("about:blank"); /* it would go on asking a server that ends */
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.removeAllListeners("exit");
    child.on("exit", () => undefined);
    child.kill("SIGINT");
    await Promise.race([ended, new Promise((r) => setTimeout(r, 3000))]);
    rmSync(dir, { recursive: true, force: true });
    expect(wrong).toEqual([]);
  },
});

async function fill(serve: Dashboard): Promise<void> {
  for (let i = 1; i <= 6; i++) {
    const time = `-${i * 5}m`;
    for (const instance of ["a", "b"])
      await serve.push(CPU, {
        service_name: "api",
        kind: "cpu",
        label: `instance=${instance}`,
        time,
      });
    await serve.push(BLOCK, { service_name: "api", kind: "block", time });
  }
}

test("with nothing in the store it says how to begin, and follows", async ({ serve, page }) => {
  await page.goto(`${serve.url}/#token=0123`);
  await expect(page.getByRole("heading", { name: "Nothing has come in yet." })).toBeVisible();
  expect(page.url()).not.toContain("token");
  for (const line of ["strobe push", "strobe serve -c", "strobe suite run"])
    await expect(page.locator("pre")).toContainText(line);
  await serve.push(CPU, { service_name: "api", kind: "cpu", time: "-1m" });
  await expect(page.getByRole("application")).toBeVisible({ timeout: 12_000 });
  await expect(page.getByRole("combobox", { name: "Application" })).toHaveValue("api");
});

test("the range merged, a profile alone, and back", async ({ serve, page }) => {
  await fill(serve);
  await page.goto(serve.url);
  const flame = new Flame(page);
  await expect(page.locator("#count")).toHaveText("12 profiles");
  await expect(flame.status).toContainText("of 15.96s cpu");
  await page.getByRole("button", { name: "profile ›" }).click();
  await expect(page.locator("#count")).toHaveText(/^[12] profiles?$/);
  expect(flame.param("span")).toMatch(/^\d+-\d+$/);
  await expect(flame.status).toContainText(/of (1\.33|2\.66)s cpu/);
  await page.goBack();
  await expect(flame.status).toContainText("of 15.96s cpu");
  const box = await page.locator(".u-over").boundingBox();
  if (!box) throw new Error("no chart");
  await page.mouse.move(box.x + box.width * 0.45, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.85, box.y + 60, { steps: 4 });
  await page.mouse.up();
  await expect(page.locator("#count")).not.toHaveText("12 profiles");
  await page.getByRole("button", { name: "whole range" }).click();
  await expect(page.locator("#count")).toHaveText("12 profiles");
});

test("refinements are of the merged range", async ({ serve, page }) => {
  await fill(serve);
  await page.goto(`${serve.url}/?f=malloc&view=tree`);
  await expect(page.locator("#left")).toHaveText("6.77% of 15.96s left");
  await expect(page.locator("tr[data-function=all] td").first()).toHaveText("1080");
});

test("lines by label, and the kinds of Time", async ({ serve, page }) => {
  await fill(serve);
  await page.goto(serve.url);
  await page.getByRole("combobox", { name: "group by" }).selectOption("instance");
  await expect(page.locator(".chart-legend li")).toHaveText(["a", "b"]);
  await page.getByRole("button", { name: "Time", exact: true }).click();
  const flame = new Flame(page);
  await expect(flame.status).toContainText("delay");
  await expect(page.locator("#chart-twin")).toContainText("at most");
  await page.getByRole("combobox", { name: "Sample type" }).selectOption("contentions");
  await expect(flame.status).toContainText("contentions");
});

test("what is not there is explained", async ({ serve, page }) => {
  await fill(serve);
  await page.goto(serve.url);
  for (const [name, heading] of [
    ["Memory", "api has no Memory profiles yet."],
    ["Targets", "No program is scraped."],
    ["Suite", "The suite has not been run yet."],
  ]) {
    await page.getByRole("button", { name, exact: true }).click();
    await expect(page.getByRole("heading", { name: heading })).toBeVisible();
  }
  await page.goto(`${serve.url}/?until=1700000000000`);
  await expect(page.getByRole("heading", { name: "No profile in this range." })).toBeVisible();
  await page.getByRole("button", { name: "go there" }).click();
  await expect(page.locator("#count")).toHaveText("12 profiles");
});

test("the merged profile can be had as pprof's", async ({ serve, page }) => {
  await fill(serve);
  await page.goto(serve.url);
  const href = await page.getByRole("link", { name: "pprof" }).getAttribute("href");
  const answer = await fetch(serve.url + (href ?? ""));
  expect(answer.status).toBe(200);
  expect(new Uint8Array(await answer.arrayBuffer()).slice(0, 2)).toEqual(
    new Uint8Array([0x1f, 0x8b]),
  );
});

for (const colorScheme of ["light", "dark"] as const)
  test(`axe finds nothing: ${colorScheme}`, async ({ serve, page }) => {
    await fill(serve);
    await page.emulateMedia({ colorScheme });
    for (const query of ["", "?by=instance&view=tree", "?page=targets", "?page=memory"]) {
      await page.goto(`${serve.url}/${query}`);
      await page.waitForTimeout(700);
      await page.evaluate(axe.source);
      const found = await page.evaluate(async () => {
        const { violations } = await (window as unknown as { axe: typeof axe }).axe.run();
        return violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`);
      });
      expect(found).toEqual([]);
    }
  });

test("fits a phone", async ({ serve, page }) => {
  await fill(serve);
  await page.setViewportSize({ width: 360, height: 740 });
  for (const query of ["", "?page=targets", "?page=time"]) {
    await page.goto(`${serve.url}/${query}`);
    await page.waitForTimeout(500);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
      360,
    );
    await expect(page.getByRole("navigation", { name: "Pages" })).toBeInViewport({ ratio: 1 });
  }
});
