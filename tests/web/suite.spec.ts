// SPDX-License-Identifier: MIT
//
// The Suite view, with small programs of its own (tests/web/suites): runs are started by the button
// and watched until they are in.

import type { Page } from "@playwright/test";
import { expect, Flame } from "./page.ts";
import { axeFinds, test } from "./serve_page.ts";

const LONG = { timeout: 45_000 };

async function openSuite(page: Page, link: string): Promise<void> {
  const [base, hash] = link.split("/#");
  await page.goto(`${base}/?page=suite#${hash}`);
  await expect(page.getByRole("rowheader", { name: /^counter/ })).toBeVisible();
}

async function choose(page: Page, program: string, input = "short"): Promise<void> {
  await page.getByRole("combobox", { name: "Programs to run" }).selectOption(program);
  await page.getByRole("combobox", { name: "Input", exact: true }).selectOption(input);
}

test("Run profiling runs a program, and its run comes in", async ({ serve, page }) => {
  await openSuite(page, serve.link);
  const cell = page.locator("[data-cell='counter short cpu']");
  await expect(cell).toContainText("not run yet");
  await choose(page, "counter");
  await page.getByRole("button", { name: "Run profiling" }).click();
  await expect(page.getByRole("region", { name: "Progress" })).toBeVisible();
  await expect(page.locator("#progress")).toHaveText("1 of 1 runs passed", LONG);
  await expect(cell).toContainText("passed");
  await expect(page.getByRole("button", { name: "Run profiling" })).toBeEnabled();

  await cell.getByRole("button", { name: /passed/ }).click();
  const flame = new Flame(page);
  await expect(flame.status).toContainText("cpu");
  await expect.poll(() => flame.param("run")).toContain("counter.short.cpu");
  await expect(page.locator(".facts")).toContainText("verified");

  const views = page.getByLabel("Views of the run");
  await views.getByRole("button", { name: "Graph", exact: true }).click();
  await expect(page.getByRole("heading", { name: /resident memory at most \d/ })).toBeVisible();

  await views.getByRole("button", { name: "Report", exact: true }).click();
  await expect(page.locator(".report pre")).toContainText("flat%");
  await views.getByRole("button", { name: "Diagram", exact: true }).click();
  await expect(page.getByRole("region", { name: /^Call graph/ })).toHaveAttribute(
    "aria-busy",
    "false",
  );
  const drawn = page.locator(".diagram-area img");
  await expect
    .poll(() => drawn.evaluate((e: HTMLImageElement) => e.naturalWidth))
    .toBeGreaterThan(50);
  await page.getByRole("button", { name: "Zoom in" }).click();
  await expect(drawn).toHaveAttribute("style", /scale\(1\.4\)/);

  await page.getByRole("button", { name: "in the dashboard" }).click();
  await expect(page.getByRole("combobox", { name: "Application" })).toHaveValue("counter");
  await expect(page.locator("#count")).toHaveText("1 profile");
});

test("a run is stopped by Cancel", async ({ serve, page }) => {
  await openSuite(page, serve.link);
  await choose(page, "counter", "long");
  await page.getByRole("button", { name: "Run profiling" }).click();
  await expect(page.getByRole("progressbar", { name: "Runs done" })).toBeVisible();
  await expect(page.locator(".progress-line")).toContainText(/% CPU/, LONG);
  await expect(page.getByRole("button", { name: "Run profiling" })).toBeDisabled();
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.locator("#progress")).toHaveText(/^Stopped after/, LONG);
  await expect(page.getByRole("button", { name: "Cancel" })).toHaveCount(0);
});

test("what went wrong is said in full, and what is not installed how to get", async ({
  serve,
  page,
}) => {
  await openSuite(page, serve.link);
  await choose(page, "wrong");
  await page.getByRole("button", { name: "Run profiling" }).click();
  await expect(page.locator("#progress")).toHaveText("1 of 1 runs failed", LONG);
  await expect(page.locator(".run-error")).toContainText("the sum is not what it should be");
  await expect(page.getByRole("rowheader", { name: /^absent/ })).toContainText(
    "apt-get install no-such-package",
  );
  await page.getByText("all runs").click();
  await expect(page.getByRole("cell", { name: /the sum is not/ })).toBeVisible();
  expect(await axeFinds(page)).toEqual([]);
});

test("without the token the page says how to get it, and starts nothing", async ({
  serve,
  page,
}) => {
  await openSuite(page, `${serve.url}/#`);
  await expect(page.getByText("needs the token of this server")).toBeVisible();
  await expect(page.getByRole("button", { name: "Run profiling" })).toBeDisabled();
  await page.goto(serve.link);
  await page.goto(`${serve.url}/?page=suite`);
  await expect(page.getByRole("button", { name: "Run profiling" })).toBeEnabled();
  await page.reload();
  await expect(page.getByRole("button", { name: "Run profiling" })).toBeEnabled();
});

test.describe("with a token that the server does not know", () => {
  test.use({ allowed: /401/ });
  test("its refusal is shown, and the token forgotten", async ({ serve, page }) => {
    await openSuite(page, `${serve.url}/#token=0123456789abcdef`);
    await page.getByRole("button", { name: "Run profiling" }).click();
    await expect(page.getByRole("alert")).toContainText("token");
    await expect(page.getByText("needs the token of this server")).toBeVisible();
  });
});

test("programs without profiles of a view say why", async ({ serve, page }) => {
  await openSuite(page, serve.link);
  await page.getByRole("button", { name: "Memory", exact: true }).last().click();
  await expect(page.locator("tr[data-program=counter] .why-not")).not.toBeEmpty();
});

for (const colorScheme of ["light", "dark"] as const)
  test(`axe finds nothing in the views of a run: ${colorScheme}`, async ({ serve, page }) => {
    await page.emulateMedia({ colorScheme });
    await openSuite(page, serve.link);
    await choose(page, "counter");
    await page.getByRole("button", { name: "Run profiling" }).click();
    await expect(page.getByRole("region", { name: "Progress" })).toBeVisible();
    expect(await axeFinds(page)).toEqual([]);
    await expect(page.locator("#progress")).toHaveText("1 of 1 runs passed", LONG);
    await page.locator("[data-cell='counter short cpu'] .link").click();
    for (const name of ["Profile", "Diagram", "Graph", "Report"]) {
      await page.getByRole("button", { name, exact: true }).click();
      await expect(page.locator("main")).toBeVisible();
      await expect(page.locator("main[aria-busy=true]")).toHaveCount(0);
      expect(await axeFinds(page)).toEqual([]);
    }
  });
