// SPDX-License-Identifier: MIT
//
// The dashboard, on a `strobe serve` of its own with profiles that were pushed to it.

import { expect, expectToFit, Flame } from "./page.ts";
import { axeFinds, CPU, fill, test } from "./serve_page.ts";

test("with nothing in the store it says how to begin, and follows", async ({ serve, page }) => {
  await page.goto(`${serve.url}/#token=0123`);
  await expect(page.getByRole("heading", { name: "Nothing has come in yet." })).toBeVisible();
  await expect(page).not.toHaveURL(/token/);
  for (const line of ["strobe record --push", "strobe serve -c", "strobe suite run"])
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
  await expect.poll(() => flame.param("span")).toMatch(/^\d+-\d+$/);
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
  const chosen = page.locator(".u-select");
  await expect.poll(async () => (await chosen.boundingBox())?.width ?? 0).toBeGreaterThan(100);
  await page.reload();
  await expect.poll(async () => (await chosen.boundingBox())?.width ?? 0).toBeGreaterThan(100);
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
  ]) {
    await page.getByRole("button", { name, exact: true }).click();
    await expect(page.getByRole("heading", { name: heading })).toBeVisible();
  }
  await page.goto(`${serve.url}/?until=1700000000000`);
  await expect(page.getByRole("heading", { name: "No profile in this range." })).toBeVisible();
  await page.getByRole("button", { name: "go there" }).click();
  await expect(page.locator("#count")).toHaveText("12 profiles");
});

test("labels are pills: added, in the address, and taken away", async ({ serve, page }) => {
  await fill(serve);
  await page.goto(serve.url);
  const flame = new Flame(page);
  await expect(page.locator("#count")).toHaveText("12 profiles");
  await page.getByRole("combobox", { name: "Only series with a label" }).selectOption("a");
  await expect(page.locator("[data-label=instance]")).toContainText("instance =a");
  await expect(page.locator("#count")).toHaveText("6 profiles");
  await expect(flame.status).toContainText("of 7.98s cpu");
  await expect.poll(() => flame.param("where")).toBe('instance="a"');
  await page.goto(`${serve.url}/?where=instance%3D~%22b%7Cc%22`);
  await expect(page.locator("[data-label=instance]")).toContainText("b|c");
  await expect(page.locator("#count")).toHaveText("6 profiles");
  await page.getByRole("button", { name: "Remove instance =~ b|c" }).click();
  await expect(page.locator("#count")).toHaveText("12 profiles");
  await page.goto(`${serve.url}/?where=instance%3D%22none%22`);
  await expect(page.getByRole("heading", { name: "No series has these labels." })).toBeVisible();
  await page.getByRole("button", { name: "take the labels away" }).click();
  await expect(page.locator("#count")).toHaveText("12 profiles");
});

test("the keys [ and ] step from profile to profile, beyond the range too", async ({
  serve,
  page,
}) => {
  for (const time of ["-5m", "-20m", "-3h"])
    await serve.push(CPU, { service_name: "api", kind: "cpu", time });
  await page.goto(serve.url);
  const flame = new Flame(page);
  await expect(page.locator("#count")).toHaveText("2 profiles");
  const spans = new Set<string>();
  for (let i = 0; i < 3; i++) {
    await page.keyboard.press("[");
    await expect.poll(() => spans.has(flame.param("span") ?? "")).toBe(false);
    await expect.poll(() => flame.param("span")).toBeTruthy();
    spans.add(flame.param("span") ?? "");
    await expect(page.locator("#count")).toHaveText("1 profile");
  }
  expect(spans.size).toBe(3);
  const oldest = flame.param("span");
  await page.keyboard.press("]");
  await expect.poll(() => flame.param("span")).not.toBe(oldest);
  expect(spans.has(flame.param("span") ?? "")).toBe(true);
});

test("more than a thousand profiles are all counted, and early ones are found", async ({
  serve,
  page,
}) => {
  test.slow();
  const now = Date.now();
  for (let i = 0; i < 1040; i += 20)
    await Promise.all(
      Array.from({ length: 20 }, (_, j) =>
        serve.push(CPU, {
          service_name: "api",
          kind: "cpu",
          time: String(now - (i + j + 10) * 3000),
        }),
      ),
    );
  await page.goto(serve.url);
  await expect(page.locator("#count")).toHaveText("1,040 profiles");
  const from = now - 1049.5 * 3000;
  await page.goto(`${serve.url}/?span=${Math.round(from)}-${Math.round(from + 30_000)}`);
  await expect(page.locator("#count")).toHaveText("10 profiles");
});

test("nothing moves once it is painted, and the script is small", async ({ serve, page }) => {
  await fill(serve);
  await page.addInitScript(() => {
    const w = window as unknown as { shifts: number };
    w.shifts = 0;
    new PerformanceObserver((list) => {
      for (const e of list.getEntries() as unknown as { value: number; hadRecentInput: boolean }[])
        if (!e.hadRecentInput) w.shifts += e.value;
    }).observe({ type: "layout-shift", buffered: true });
  });
  const sizes: number[] = [];
  page.on("response", (r) => {
    if (/\.js$/.test(new URL(r.url()).pathname))
      sizes.push(Number(r.headers()["content-length"] ?? Infinity));
  });
  for (const query of ["", "?view=tree", "?page=suite"]) {
    await page.goto(`${serve.url}/${query}`);
    await expect(page.locator("main")).toBeVisible();
    await expect(page.locator("main[aria-busy=true]")).toHaveCount(0);
    await page.waitForTimeout(1500);
    const shifts = await page.evaluate(() => (window as unknown as { shifts: number }).shifts);
    expect(shifts, query).toBeLessThan(0.01);
  }
  expect(sizes.length).toBeGreaterThan(0);
  for (const size of sizes) expect(size).toBeLessThanOrEqual(120 * 1024);
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
      await expect(page.locator("main").first()).toBeVisible();
      await expect(page.locator("main[aria-busy=true]")).toHaveCount(0);
      expect(await axeFinds(page)).toEqual([]);
    }
  });

test("fits a phone", async ({ serve, page }) => {
  await fill(serve);
  await page.setViewportSize({ width: 360, height: 740 });
  for (const query of ["", "?page=targets", "?page=time"]) {
    await page.goto(`${serve.url}/${query}`);
    await expect(page.locator("main").first()).toBeVisible();
    await expect(page.locator("main[aria-busy=true]")).toHaveCount(0);
    await expectToFit(page, 360);
    await expect(page.getByRole("navigation", { name: "Pages" })).toBeInViewport({ ratio: 1 });
  }
});
