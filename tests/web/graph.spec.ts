// SPDX-License-Identifier: MIT
//
// The call graph: the same as `strobe dot`, chosen from, searched, walked and moved.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect, expectToFit, golden, root, test } from "./page.ts";
import { axeFinds } from "./serve_page.ts";

const CPU = "orders_labels.pb.gz";
const strobe = process.env.STROBE ?? join(root, "build/strobe");

function nodeOf(page: Page, text: string) {
  return page.locator(".graph-node:not(.part)", { hasText: text });
}

function settled(page: Page) {
  return expect(page.locator("main.graph-view")).toHaveAttribute("aria-busy", "false");
}

function transform(page: Page): Promise<string | null> {
  return page.locator(".graph-svg > g").getAttribute("transform");
}

for (const flags of [[], ["-nodecount=20", "-nodefraction=0"], ["-call_tree", "-focus=insert"]])
  test(`has the nodes and edges of strobe dot ${flags.join(" ")}`, async ({ open, page }) => {
    const { stdout } = spawnSync(strobe, ["dot", ...flags, join(golden, CPU)], {
      encoding: "utf8",
    });
    const names = [...stdout.matchAll(/^N\d+ \[.*tooltip="(.*) \(\S+\)" color/gm)];
    const drawn = stdout.matchAll(/^N(\d+) -> N(\d+) \[label=" /gm);
    const edges = [...drawn].map(([, a, b]) => `${a} ${b}`);
    expect(names.length).toBeGreaterThan(3);
    const url: Record<string, string> = {
      "-nodecount": "n",
      "-nodefraction": "nf",
      "-call_tree": "calltree",
      "-focus": "f",
    };
    const query = flags.map((f) => {
      const [name, value] = f.split("=");
      return `&${url[name]}=${value ?? "t"}`;
    });
    const answer = page.waitForResponse(/api\/graph/);
    await open(CPU, `?view=graph${query.join("")}`);
    const g = (await (await answer).json()) as {
      nodes: { name: string }[];
      edges: { from: number; to: number }[];
    };
    expect(g.nodes.map((n) => n.name)).toEqual(names.map((n) => n[1]));
    expect(g.edges.map((e) => `${e.from} ${e.to}`).sort()).toEqual(edges.sort());
    await settled(page);
    await expect(page.locator(".graph-node:not(.part)")).toHaveCount(names.length);
  });

test("a click chooses in all views; the menu refines", async ({ open, page }) => {
  const flame = await open(CPU, "?view=graph");
  await nodeOf(page, "EncodeBlock").click();
  await expect(nodeOf(page, "EncodeBlock")).toHaveClass(/chosen/);
  await expect(flame.status.locator(".name")).toHaveText(/EncodeBlock$/);
  await expect(flame.status).toContainText("38.35%");
  await page.getByRole("button", { name: "Top", exact: true }).click();
  await expect(page.locator("tr[aria-selected=true]")).toHaveAttribute(
    "data-function",
    /EncodeBlock$/,
  );
  await page.goBack();
  await settled(page);
  await nodeOf(page, "EncodeBlock").click({ button: "right" });
  await page.getByRole("menuitem", { name: "Focus" }).click();
  await expect(flame.pill("f")).toHaveText(/EncodeBlock$/);
  await settled(page);
  await expect(nodeOf(page, "Compound")).toHaveCount(0);
});

test("settings of the graph are in the URL and on the server", async ({ open, page }) => {
  const flame = await open(CPU, "?view=graph");
  await settled(page);
  const before = await page.locator(".graph-node:not(.part)").count();
  await page.getByRole("combobox", { name: "nodes", exact: true }).selectOption("10");
  await expect.poll(() => page.locator(".graph-node:not(.part)").count()).toBeLessThan(before);
  await expect.poll(() => flame.param("n")).toBe("10");
  await expect(page.locator(".view-facts")).toContainText(/Showing top \d+ nodes out of/);
  await page.getByLabel("as a tree").check();
  await expect.poll(() => flame.param("calltree")).toBe("t");
  await page.goBack();
  await page.goBack();
  await expect(page.locator(".graph-node:not(.part)")).toHaveCount(before);
});

test("what is searched for stands out", async ({ open, page }) => {
  await open(CPU, "?view=graph&q=EncodeBlock");
  await settled(page);
  await expect(page.locator(".graph-node.match:not(.part)")).toHaveCount(1);
  await expect(nodeOf(page, "Compound")).toHaveClass(/dim/);
});

test("keys walk, zoom and move", async ({ open, page }) => {
  const flame = await open(CPU, "?view=flame");
  await page.keyboard.press("g");
  await expect.poll(() => flame.param("view")).toBe("graph");
  await settled(page);
  await flame.area.focus();
  await nodeOf(page, "EncodeBlock").click();
  await page.keyboard.press("ArrowUp");
  await expect(page.locator(".graph-node.chosen")).toContainText("main");
  await page.keyboard.press("ArrowDown");
  await expect(nodeOf(page, "EncodeBlock")).toHaveClass(/chosen/);
  const before = await transform(page);
  await page.keyboard.press("+");
  await expect.poll(() => transform(page)).not.toBe(before);
  const larger = await transform(page);
  await page.keyboard.press("Shift+ArrowLeft");
  await expect.poll(() => transform(page)).not.toBe(larger);
  await page.keyboard.press("Enter");
  await expect.poll(() => flame.param("view")).toBe("calls");
});

test("a drag moves and does not choose, the wheel zooms at the pointer", async ({ open, page }) => {
  const flame = await open(CPU, "?view=graph");
  await settled(page);
  const box = await nodeOf(page, "EncodeBlock").locator(".outline").boundingBox();
  const [x, y] = [(box?.x ?? 0) + 30, (box?.y ?? 0) + 20];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 60, y + 40, { steps: 3 });
  await page.mouse.up();
  const moved = async (): Promise<number> => {
    const now = await nodeOf(page, "EncodeBlock").locator(".outline").boundingBox();
    return Math.round((now?.x ?? 0) - (box?.x ?? 0));
  };
  await expect.poll(moved).toBe(60);
  await expect.poll(() => flame.param("sel")).toBeNull();
  await page.mouse.wheel(0, -200);
  await expect
    .poll(async () => (await nodeOf(page, "EncodeBlock").locator(".outline").boundingBox())?.width)
    .toBeGreaterThan(1.3 * (box?.width ?? 0));
});

test.describe("without dot", () => {
  test.use({ env: { PATH: "/nonexistent" } });
  test("the page lays the graph out, by an engine that only the graph loads", async ({
    open,
    page,
  }) => {
    const loaded: string[] = [];
    page.on("request", (r) => loaded.push(r.url()));
    await open(CPU);
    expect(loaded.some((u) => u.includes("/assets/viz-"))).toBe(false);
    await page.getByRole("button", { name: "Graph", exact: true }).click();
    await settled(page);
    await expect(nodeOf(page, "EncodeBlock")).toBeVisible();
    expect(loaded.some((u) => u.includes("/assets/viz-"))).toBe(true);
  });
});

for (const colorScheme of ["light", "dark"] as const)
  test(`axe finds nothing, on a phone neither: ${colorScheme}`, async ({ open, page }) => {
    await page.emulateMedia({ colorScheme });
    await open(CPU, "?view=graph&q=main");
    await settled(page);
    expect(await axeFinds(page)).toEqual([]);
    await page.setViewportSize({ width: 360, height: 740 });
    await expectToFit(page, 360);
    expect(await axeFinds(page)).toEqual([]);
  });

test.describe("nothing to draw", () => {
  test.use({ allowed: /400/ });
  test("what is too light, and what cannot be drawn, is said", async ({ open, page }) => {
    await open(CPU, "?view=graph&nf=0.99999");
    await expect(page.getByText("No node is that heavy")).toBeVisible();
    await page.goto(page.url().replace("nf=0.99999", "n=nonsense"));
    await expect(page.getByRole("heading", { name: /could not be/ })).toBeVisible();
    await expect(page.locator(".notice")).toContainText("nonsense");
  });
});
