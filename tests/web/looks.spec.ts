// SPDX-License-Identifier: MIT
//
// Themes, sizes, accessibility, empty states, and what the server refuses.

import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import { expect, expectToFit, golden, root, serve, stop, test } from "./page.ts";

const CPU = "orders_labels.pb.gz";
const strobe = process.env.STROBE ?? join(root, "build/strobe");

for (const colorScheme of ["light", "dark"] as const) {
  test(`is ${colorScheme} if the system is`, async ({ open, page }) => {
    await page.emulateMedia({ colorScheme });
    await open(CPU);
    const lightness = await page.evaluate(() => {
      const color = getComputedStyle(document.body).backgroundColor;
      return Number(/oklch\(([\d.]+)/.exec(color)?.[1]);
    });
    if (colorScheme === "dark") expect(lightness).toBeLessThan(0.3);
    else expect(lightness).toBeGreaterThan(0.9);
  });

  for (const query of [
    "",
    "?view=top",
    "?q=malloc",
    "?view=tree&q=malloc",
    "?view=calls",
    "?f=malloc&col=self&up=1&inv=1",
  ]) {
    test(`axe finds nothing: ${colorScheme} ${query}`, async ({ open, page }) => {
      await page.emulateMedia({ colorScheme });
      const flame = await open(CPU, query);
      if (!query) {
        await flame.area.focus();
        await page.keyboard.press("ArrowDown");
        await page.keyboard.press("Enter");
      }
      await page.evaluate(axe.source);
      const found = await page.evaluate(async () => {
        const { violations } = await (window as unknown as { axe: typeof axe }).axe.run();
        return violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`);
      });
      expect(found).toEqual([]);
    });
  }
}

test("the theme can be chosen, and is in the URL", async ({ open, page }) => {
  await page.emulateMedia({ colorScheme: "light" });
  const flame = await open(CPU);
  await page.getByRole("button", { name: /^Theme/ }).click();
  await page.getByRole("button", { name: /^Theme: light/ }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect.poll(() => flame.param("theme")).toBe("dark");
});

test("fits a phone", async ({ open, page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  const flame = await open(CPU);
  for (const view of ["Flame", "Tree", "Top", "Callers"]) {
    await page.getByRole("button", { name: view, exact: true }).click();
    await expect(page.locator('[aria-current="page"]')).toHaveText(view);
    await expectToFit(page, 360);
    await expect(flame.search).toBeInViewport({ ratio: 1 });
    await expect(flame.status).toBeInViewport({ ratio: 1 });
  }
});

test("keys are explained", async ({ open, page }) => {
  await open(CPU);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toContainText("go through the matches");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
});

test("a profile without samples says so, and what to do", async ({ open, page }) => {
  const file = join(mkdtempSync(join(tmpdir(), "strobe-")), "empty.pb");
  /* sample_type {type: 1, unit: 2}; string_table "", "cpu", "nanoseconds" */
  const strings = ["", "cpu", "nanoseconds"].map((s) =>
    Buffer.concat([Buffer.from([0x32, s.length]), Buffer.from(s)]),
  );
  writeFileSync(file, Buffer.concat([Buffer.from([0x0a, 4, 8, 1, 16, 2]), ...strings]));
  await open(file);
  await expect(page.getByRole("heading", { name: /no samples/ })).toBeVisible();
  await expect(page.getByText("strobe record -F 1000")).toBeVisible();
});

test("a file that is no profile is refused before anything is served", () => {
  const file = join(mkdtempSync(join(tmpdir(), "strobe-")), "bad.pb");
  writeFileSync(file, "this is no profile");
  for (const name of [file, `${file}.missing`]) {
    const { status, stderr } = spawnSync(strobe, ["web", "-no_browser", name], {
      encoding: "utf8",
      timeout: 10_000,
    });
    expect(status).toBe(2);
    expect(stderr).toContain(name);
    expect(stderr).not.toContain("Serving");
  }
});

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

function ask(url: string, path: string, method = "GET", host?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const r = request(url + path, { method, headers: host ? { host } : {} }, (answer) => {
      let body = "";
      answer.on("data", (d: Buffer) => (body += d.toString()));
      answer.on("end", () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }),
      );
    });
    r.on("error", reject);
    r.end();
  });
}

test("the server answers this machine only, and only reads", async () => {
  const server = await serve(join(golden, CPU), join(golden, CPU));
  try {
    const page = await ask(server.url, "/ui/flamegraph");
    expect(page.status).toBe(200);
    expect(page.body).toMatch(/\/assets\/app-[0-9a-f]{12}\.js/);
    expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
    expect(page.headers["x-content-type-options"]).toBe("nosniff");
    const script = /\/assets\/app-[0-9a-f]+\.js/.exec(page.body)?.[0] ?? "";
    expect((await ask(server.url, script)).headers["cache-control"]).toContain("immutable");
    expect((await ask(server.url, "/", "GET", "evil.example")).status).toBe(403);
    expect((await ask(server.url, "/", "POST")).status).toBe(307); // as pprof's
    expect((await ask(server.url, "/api/profile", "POST")).status).toBe(405);
    expect((await ask(server.url, "/ui/top", "HEAD")).body).toBe("");
    const missing = await ask(server.url, "/assets/nothing");
    expect(missing.status).toBe(404);
    expect(missing.body).toContain("There is nothing at this address.");
    const wrong = await ask(server.url, "/api/profile?si=bogus");
    expect(wrong.status).toBe(400);
    expect(JSON.parse(wrong.body).error).toMatch(/^sample_index "bogus" must be one of: \[/);
    const expression = await ask(server.url, "/api/profile?f=(");
    expect(expression.status).toBe(400);
    expect(JSON.parse(expression.body)).toEqual({
      error: "parsing focus regexp: error parsing regexp: missing closing ): `(`",
    });
    expect((await ask(server.url, "/api/profile?walk=sideways")).status).toBe(400);
    expect((await ask(server.url, "/api/profile")).body).toContain(
      "orders_labels.pb.gz and 1 more",
    );
  } finally {
    expect(await stop(server)).toBe(0);
  }
});
