// SPDX-License-Identifier: MIT
//
// Source with its lines' costs, instructions, what is missing, and the plain reports. The program
// is compiled and recorded here, so that binary and source are where the profile says.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, expectToFit, golden, root, test } from "./page.ts";
import { axeFinds } from "./serve_page.ts";

const strobe = process.env.STROBE ?? join(root, "build/strobe");
const dir = mkdtempSync(join(tmpdir(), "strobe-source-"));
const profile = join(dir, "spin.pb.gz");
const code = join(dir, "spin.c");
let nothing = false;

function run(...command: string[]): string {
  return execFileSync(command[0], command.slice(1), { cwd: dir, encoding: "utf8" });
}

test.beforeAll(() => {
  writeFileSync(
    code,
    `static inline unsigned mix(unsigned h)
{
    return (h ^ h >> 7) * 16777619u;
}

__attribute__((noinline)) unsigned spin(unsigned n)
{
    unsigned h = 1;
    for (unsigned i = 0; i < n; i++)
        h = mix(h + i);
    return h;
}

int main(int count, char **arguments)
{
    (void)arguments;
    return spin(400000000u * (unsigned)count) == 7;
}
`,
  );
  run("cc", "-O2", "-g", "-o", "spin", "spin.c");
  const r = spawnSync(strobe, ["record", "-o", profile, "--", "./spin"], {
    cwd: dir,
    encoding: "utf8",
  });
  expect(r.error).toBeUndefined();
  nothing = / 0 samples /.test(r.stderr);
});

test.beforeEach(() => test.skip(nothing, "this machine gave no samples"));

/** "flat cum" of each line that counts, as strobe list prints them. */
function listed(name: string): Map<number, string> {
  const text = run(strobe, "list", "-unit=ms", `^${name}$`, profile);
  const lines = new Map<number, string>();
  for (const [, flat, cum, line] of text.matchAll(/^ *(\S+) +(\S+) +(\d+):/gm))
    if (cum !== ".") lines.set(Number(line), `${flat} ${cum}`.replaceAll("ms", ""));
  return lines;
}

test("lines have what strobe list says, and the text of the file", async ({ open, page }) => {
  await open(profile, "?view=source&sel=spin");
  const expected = listed("spin");
  expect(expected.size).toBeGreaterThan(0);
  const rows = page.locator("tr[data-line]");
  await expect(page.locator("tr[data-line='10'] .code")).toHaveText("        h = mix(h + i);");
  for (const row of await rows.all()) {
    const line = Number(await row.getAttribute("data-line"));
    const [flat, cum] = await row.locator("td.number").allTextContents();
    const [f, c] = expected.get(line)?.split(" ") ?? [".", "."];
    expect(`${line} ${flat || "."} ${cum || "."}`).toBe(`${line} ${f} ${c}`);
  }
  await expect(page.locator("tr.warm-5")).toHaveCount(1);
});

test("instructions stand below their lines, with what was inlined", async ({ open, page }) => {
  const flame = await open(profile, "?view=source&sel=spin");
  test.skip(spawnSync("objdump", ["--version"]).status !== 0, "objdump is not installed");
  await page.getByLabel("instructions").check();
  await expect.poll(() => flame.param("asm")).toBe("1");
  await expect(page.locator("tr.source-inst").first()).toBeVisible();
  await expect(page.locator("tr.source-inst", { hasText: /imul|shr|xor/ }).first()).toBeVisible();
  await expect(page.locator("tr.source-call").first()).toContainText(">> 7");
  const before = await page.locator("tr.source-inst").count();
  const button = page.getByRole("button", { name: "Instructions of line 10" });
  await button.click();
  await expect(button).toHaveAttribute("aria-expanded", "false");
  await expect.poll(() => page.locator("tr.source-inst").count()).toBeLessThan(before);
  expect(await axeFinds(page)).toEqual([]);
});

test("what is missing is named, and can be found elsewhere", async ({ open, page }) => {
  const away = join(dir, "away.c");
  const other = mkdtempSync(join(tmpdir(), "strobe-moved-"));
  renameSync(code, away);
  try {
    await open(profile, "?view=source&sel=spin");
    await expect(page.locator(".source-error")).toContainText(`${code}: no such file`);
    await expect(page.locator("tr.warm-5 .code")).toHaveText("(not there)");
    expect(await axeFinds(page)).toEqual([]);
    renameSync(away, join(other, "spin.c"));
    await page.getByLabel("folder").fill(other);
    await page.getByLabel("cut off").fill(dir);
    await page.getByRole("button", { name: "Look there" }).click();
    await expect(page.locator("tr[data-line='10'] .code")).toHaveText("        h = mix(h + i);");
    await expect(page.locator(".source-error")).toHaveCount(0);
  } finally {
    renameSync(existsSync(away) ? away : join(other, "spin.c"), code);
  }
});

test("the keys lead to the source of what is chosen, the menu too", async ({ open, page }) => {
  const flame = await open(profile, "?view=top");
  await flame.rows.first().click();
  await page.keyboard.press("s");
  await expect.poll(() => flame.param("view")).toBe("source");
  await expect(page.locator(".source-head .source-name")).toHaveText(flame.param("sel") ?? "");
  await page.goBack();
  await flame.rows.first().click({ button: "right" });
  await page.getByRole("menuitem", { name: "Source" }).click();
  await expect.poll(() => flame.param("view")).toBe("source");
});

for (const report of ["peek", "disasm"])
  test(`${report} is what strobe prints`, async ({ open, page }) => {
    const flags = report === "peek" ? ["-lines"] : [];
    const text = run(strobe, "pprof", ...flags, `-${report}=(^|\\s)spin(\\s|$)`, profile);
    await open(profile, `?view=${report}&sel=spin`);
    await expect(page.locator("pre.report")).toContainText(text.trim().split("\n").at(-2) ?? "x");
    expect((await page.locator("pre.report").textContent())?.trim()).toBe(text.trim());
    expect(await axeFinds(page)).toEqual([]);
  });

for (const colorScheme of ["light", "dark"] as const)
  test(`axe finds nothing: ${colorScheme}`, async ({ open, page }) => {
    await page.emulateMedia({ colorScheme });
    await open(profile, "?view=source&sel=spin");
    await expect(page.locator("tr.warm-5").first()).toBeVisible();
    expect(await axeFinds(page)).toEqual([]);
    await page.setViewportSize({ width: 360, height: 740 });
    await expectToFit(page, 360);
  });

test.describe("a function that is not there", () => {
  test.use({ allowed: /404/ });
  test("says so", async ({ open, page }) => {
    await open(join(golden, "orders_labels.pb.gz"), "?view=source&sel=nothing_of_this_name");
    await expect(page.getByRole("heading", { name: /no source to show/ })).toBeVisible();
    await expect(page.locator(".notice")).toContainText("no sample has a function that matches");
  });
});

test("a saved page has the disassembly, also without the binary", async ({ page, context }) => {
  const file = join(dir, "page.html");
  const { stdout } = spawnSync(strobe, ["web", `-export=${file}`, profile], { encoding: "utf8" });
  expect(stdout).toBe("");
  const text = run(strobe, "pprof", "-disasm=(^|\\s)spin(\\s|$)", profile);
  await context.setOffline(true);
  await page.goto(`file://${file}?view=disasm&sel=spin`);
  await expect(page.locator("pre.report")).toContainText("ROUTINE");
  expect((await page.locator("pre.report").textContent())?.trim()).toBe(text.trim());
  await page.goto(`file://${file}?view=disasm&sel=spin&f=spin`);
  await expect(page.getByText("of the whole profile only")).toBeVisible();
  await page.goto(`file://${file}?view=disasm&sel=nosuch`);
  await expect(page.getByText("was not saved with the page")).toBeVisible();
});
