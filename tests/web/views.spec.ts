// SPDX-License-Identifier: MIT
//
// Orientation, inversion, colours, the tree, and callers and callees.

import { expect, test } from "./page.ts";

const CPU = "orders_labels.pb.gz";

/** The colour in the middle of the row that is `y` pixels from the top of the canvas. */
function colourAt(y: number): string {
  const canvas = document.querySelector<HTMLCanvasElement>(".flame-canvas");
  const copy = document.createElement("canvas");
  const c = copy.getContext("2d", { willReadFrequently: true });
  if (!canvas || !c) return "";
  [copy.width, copy.height] = [canvas.width, canvas.height];
  c.drawImage(canvas, 0, 0);
  const ratio = canvas.width / canvas.clientWidth;
  const row = y < 0 ? canvas.clientHeight + y : y;
  const x = Math.round(canvas.width * 0.7);
  return [...c.getImageData(x, Math.round(row * ratio), 1, 1).data].join(",");
}

test("the root may be at the bottom; then up is where the callees are", async ({ open, page }) => {
  const flame = await open(CPU);
  await expect(flame.area).toHaveAttribute("data-drawn", /\d/);
  const rootColour = await page.evaluate(colourAt, 9);
  await page.getByRole("button", { name: /^Root at the bottom/ }).click();
  await expect.poll(() => flame.param("up")).toBe("1");
  await expect.poll(() => page.evaluate(colourAt, -9 - 18)).not.toBe("");
  await expect
    .poll(async () => [await page.evaluate(colourAt, -9), await page.evaluate(colourAt, -27)])
    .toContain(rootColour);
  expect(await page.evaluate(colourAt, 9)).not.toBe(rootColour);
  await flame.area.focus();
  await page.keyboard.press("ArrowUp");
  await expect(flame.nameOf(flame.chosen)).toHaveText("runtime.main");
  await page.keyboard.press("ArrowDown");
  await expect(flame.nameOf(flame.chosen)).toHaveText("all");
  const box = await flame.area.boundingBox();
  await page.mouse.move((box?.x ?? 0) + 100, (box?.y ?? 0) + (box?.height ?? 0) - 27 - 18);
  await expect(flame.status.locator(".name")).toHaveText(/runtime\.main|main\.main/);
});

test("inverted, the leaves come first, each as heavy as its flat", async ({ open, page }) => {
  const flame = await open(CPU, "?view=top");
  const first = flame.rows.first();
  const name = (await first.getAttribute("data-function")) ?? "";
  const share = await first.locator("td").nth(1).textContent();
  await page.getByRole("button", { name: "Flame", exact: true }).click();
  await page.keyboard.press("v");
  await expect.poll(() => flame.param("inv")).toBe("1");
  await expect(flame.nameOf(flame.callees.first())).toHaveText(name);
  await expect(flame.callees.first().locator("td").last()).toHaveText(share ?? "");
});

test("colours by self and by file have their legends", async ({ open, page }) => {
  await open(CPU);
  const colour = page.getByRole("combobox", { name: "Colour" });
  await colour.selectOption("self");
  await expect(page.getByRole("list", { name: /self cost of the function/ })).toContainText(
    "from 30%",
  );
  await colour.selectOption("file");
  await page
    .getByRole("button", { name: /^tree\.go|^main\.go|\.go \d/ })
    .first()
    .click();
  await page.getByRole("menuitem", { name: "Focus" }).click();
  await expect(page.locator("[data-pill=f] .pill-value")).toHaveText(/\.(go|s)$/);
});

test("the tree is open along the hottest path, with the sums of the graph", async ({
  open,
  page,
}) => {
  const flame = await open(CPU, "?view=tree");
  const names = flame.rows.locator(".function");
  await expect(names.nth(0)).toHaveText("all");
  await expect(names.nth(1)).toHaveText("runtime.main");
  await expect(names.nth(8)).toHaveText("main.work");
  await expect(flame.rows.nth(8).locator("td").nth(1)).toHaveText("82.71%");
  await expect(flame.rows.nth(8)).toHaveAttribute("aria-level", "9");
  await page.getByRole("region", { name: "Call tree" }).focus();
  await page.keyboard.press("ArrowDown");
  await expect(flame.rows.nth(1)).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("ArrowLeft");
  await expect(flame.rows.nth(1)).toHaveAttribute("aria-expanded", "false");
  await expect(names.nth(2)).not.toHaveText("main.main");
  await page.keyboard.press("ArrowRight");
  await expect(names.nth(2)).toHaveText("main.main");
  await page.keyboard.press("Enter");
  await expect(flame.pill("zoom")).toHaveText("runtime.main");
});

test("a search in the tree opens the way to what it finds", async ({ open, page }) => {
  const flame = await open(CPU, "?view=tree");
  await flame.search.fill("bgsweep");
  await page.keyboard.press("Enter");
  const row = page.locator("tr[aria-selected=true]");
  await expect(row).toHaveAttribute("data-function", "runtime.bgsweep");
  await expect(row).toBeInViewport();
});

test("callers and callees of a function, and from there to others", async ({ open, page }) => {
  const flame = await open(CPU, "?sel=runtime.mallocgc");
  await page.keyboard.press("c");
  await expect(page.getByRole("heading", { name: /runtime\.mallocgc/ })).toBeVisible();
  await expect.poll(() => flame.param("fn")).toBe("runtime.mallocgc");
  const callers = page.locator("#callers-twin tr[data-role=callee]").getByRole("rowheader");
  const callees = page.locator("#callees-twin tr[data-role=callee]").getByRole("rowheader");
  await expect(callers.first()).toHaveText(/runtime\.(growslice|newobject|makeslice)/);
  await expect.poll(() => callees.count()).toBeGreaterThan(1);
  const caller = (await callers.first().textContent()) ?? "";
  await page.getByRole("application", { name: /^Callers/ }).focus();
  await page.keyboard.press("ArrowUp");
  await expect(flame.status.locator(".name")).toHaveText(caller);
  await page.keyboard.press("c");
  await expect(page.getByRole("heading", { name: new RegExp(`callers.*${caller}`) })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole("heading", { name: /runtime\.mallocgc/ })).toBeVisible();
});

test("the totals of callers and callees are the function's cum", async ({ open, page }) => {
  const flame = await open(CPU, "?view=top&sort=cum&q=Tree.*insert");
  const row = flame.rows.first();
  const share = (await row.locator("td").nth(3).textContent()) ?? "";
  await row.dblclick();
  await expect(page.locator(".pivot-sums")).toContainText(share);
  for (const id of ["callers-twin", "callees-twin"])
    await expect(page.locator(`#${id} tr`).nth(1).locator("td").last()).toHaveText(share);
});

test("Enter in the table opens callers and callees", async ({ open, page }) => {
  const flame = await open(CPU, "?view=top");
  await page.getByRole("region", { name: "Functions" }).focus();
  await page.keyboard.press("ArrowDown");
  const name = (await flame.rows.first().getAttribute("data-function")) ?? "";
  await page.keyboard.press("Enter");
  await expect(page.locator(".pivot-name")).toHaveText(name);
});
