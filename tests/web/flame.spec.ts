// SPDX-License-Identifier: MIT

import { expect, test } from "./page.ts";

const CPU = "orders_labels.pb.gz";

test("shows the root and, beneath it, the hottest frames first", async ({ open }) => {
  const flame = await open(CPU);
  await expect(flame.area).toBeVisible();
  await expect(flame.nameOf(flame.chosen)).toHaveText("all");
  await expect(flame.nameOf(flame.callees.first())).toHaveText("runtime.main");
  await expect(flame.status).toContainText("1.33s");
  const shares = await flame.callees.locator("td:last-child").allTextContents();
  const numbers = shares.map((s) => parseFloat(s));
  expect(numbers).toEqual([...numbers].sort((a, b) => b - a));
});

test("the canvas is as large as the view and painted", async ({ open, page }) => {
  const flame = await open(CPU);
  await expect(flame.area).toHaveAttribute("data-drawn", /\d/);
  const colours = await page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>(".flame-canvas");
    const c = canvas?.getContext("2d");
    if (!canvas || !c) return { size: [0, 0], colours: 0 };
    const pixels = new Uint32Array(c.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    return { size: [canvas.clientWidth, canvas.clientHeight], colours: new Set(pixels).size };
  });
  const box = await flame.area.boundingBox();
  expect(colours.size).toEqual([box?.width, box?.height]);
  expect(colours.colours).toBeGreaterThan(8);
});

test("a click zooms, the URL says so, and Back undoes it", async ({ open, page }) => {
  const flame = await open(CPU);
  const first = flame.callees.first();
  const name = await flame.nameOf(first).textContent();
  await flame.clickBox(first);
  await expect(flame.pill("zoom")).toHaveText(name ?? "");
  await expect.poll(() => flame.param("zoom")).toBeTruthy();
  await expect(flame.chosen).toHaveAttribute("data-width", "1.000000");
  await page.goBack();
  await expect(flame.pill("zoom")).toHaveCount(0);
  await expect.poll(() => flame.param("zoom")).toBeNull();
  await page.goForward();
  await expect(flame.pill("zoom")).toHaveText(name ?? "");
});

test("a copied link shows the same", async ({ open, page }) => {
  const flame = await open(CPU);
  await flame.area.focus();
  for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "Enter"])
    await page.keyboard.press(key);
  await expect.poll(() => flame.param("zoom")).toBeTruthy();
  const zoomed = await flame.pill("zoom").textContent();
  const chosen = await flame.nameOf(flame.chosen).textContent();
  await page.goto(page.url());
  await expect(flame.pill("zoom")).toHaveText(zoomed ?? "");
  await expect(flame.nameOf(flame.chosen)).toHaveText(chosen ?? "");
});

test("a double click goes one level up", async ({ open, page }) => {
  const flame = await open(CPU);
  await flame.area.focus();
  for (const key of ["ArrowDown", "ArrowDown", "Enter"]) await page.keyboard.press(key);
  await expect(flame.pill("zoom")).toHaveText("main.main");
  const { x, y } = await flame.pointOf(flame.callees.first());
  await page.mouse.dblclick(x, y);
  await expect(flame.pill("zoom")).toHaveText("runtime.main");
});

test("keys walk, zoom and go back", async ({ open, page }) => {
  const flame = await open(CPU);
  await flame.area.focus();
  await page.keyboard.press("ArrowDown");
  await expect(flame.nameOf(flame.chosen)).toHaveText("runtime.main");
  await page.keyboard.press("ArrowRight");
  await expect(flame.nameOf(flame.chosen)).not.toHaveText("runtime.main");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(flame.pill("zoom")).toHaveText("main.main");
  await expect(flame.status.locator(".name")).toHaveText("main.main");
  await page.keyboard.press("Escape");
  await expect(flame.pill("zoom")).toHaveText("runtime.main");
  await page.keyboard.press("0");
  await expect(flame.pill("zoom")).toHaveCount(0);
  await page.keyboard.press("ArrowUp");
  await expect(flame.nameOf(flame.chosen)).toHaveText("runtime.main");
});

test("the status bar says at once what is under the pointer", async ({ open, page }) => {
  const flame = await open(CPU);
  const first = flame.callees.first();
  const { x, y } = await flame.pointOf(first);
  await page.mouse.move(x, y);
  await expect(flame.status.locator(".name")).toHaveText("runtime.main");
  await expect(flame.status).toContainText("proc.go");
  await expect(flame.status.locator("[data-amount=total]")).toContainText(/\d+(\.\d\d)?%/);
  await expect(flame.status).toContainText("of 1.33s cpu");
  await page.mouse.move(x, 5);
  await expect(flame.status.locator(".name")).toHaveText("all");
});

test("a search says what share matches, and Enter goes from match to match", async ({
  open,
  page,
}) => {
  const flame = await open(CPU);
  await page.keyboard.press("/");
  await expect(flame.search).toBeFocused();
  await page.keyboard.type("malloc");
  await expect(flame.matched).toHaveText(/^\d+(\.\d+)?% of 1\.33s matches$/);
  await expect.poll(() => flame.param("q")).toBe("malloc");
  await page.keyboard.press("Enter");
  await expect(flame.nameOf(flame.chosen)).toHaveText(/malloc/i);
  await expect.poll(() => flame.param("at")).toBeTruthy();
  const at = flame.param("at");
  await page.keyboard.press("Enter");
  await expect.poll(() => flame.param("at")).not.toBe(at);
  await expect(flame.nameOf(flame.chosen)).toHaveText(/malloc/i);
  await page.keyboard.press("Shift+Enter");
  await expect.poll(() => flame.param("at")).toBe(at);
  await page.keyboard.press("Escape");
  await expect(flame.search).toHaveValue("");
  await expect(flame.matched).toBeEmpty();
});

test("everything matches a dot, nothing matches nonsense, and ( is no expression", async ({
  open,
}) => {
  const flame = await open(CPU);
  await flame.search.fill(".");
  await expect(flame.matched).toHaveText("100% of 1.33s matches");
  await flame.search.fill("no such function");
  await expect(flame.matched).toHaveText("no function matches");
  await flame.search.fill("(");
  await expect(flame.matched).toHaveText("not a regular expression");
});

test("the wheel with Ctrl zooms at the pointer, and the window is in the URL", async ({
  open,
  page,
}) => {
  const flame = await open(CPU);
  await page.mouse.move(640, 300);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -200);
  await page.keyboard.up("Control");
  await expect(flame.pill("zoom")).toHaveText("a part of the graph");
  await expect.poll(() => flame.param("zoom")).toMatch(/^@/);
  await page.keyboard.press("Escape");
  await expect(flame.pill("zoom")).toHaveCount(0);
});

test("another sample type has other numbers, and the zoom finds its box again", async ({
  open,
  page,
}) => {
  const flame = await open("orders_block.pb.gz");
  await expect(flame.status).toContainText("1.20s delay");
  await flame.area.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  const zoomed = (await flame.pill("zoom").textContent()) ?? "";
  await page.getByRole("combobox", { name: "Sample type" }).selectOption("contentions");
  await expect(flame.status).toContainText("of 601 contentions");
  await expect.poll(() => flame.param("si")).toBe("contentions");
  await expect(flame.pill("zoom")).toHaveText(zoomed);
  await page.goBack();
  await expect(flame.status).toContainText("1.20s delay");
});
