// SPDX-License-Identifier: MIT
//
// The dashboard's difference of two ranges of one series: the API's numbers, and the ways to it.

import { expect, Flame } from "./page.ts";
import { axeFinds, fill, test, type Dashboard } from "./serve_page.ts";

const MINUTE = 60_000;

/** Half an hour of one program, and before it a while of another under the same name. */
async function fillBoth(serve: Dashboard): Promise<{ span: string; from: number; until: number }> {
  await fill(serve);
  for (const time of ["-40m", "-45m", "-50m"])
    await serve.push("kern_cpu.pb.gz", { service_name: "api", kind: "cpu", time });
  const until = Date.now();
  const from = until - 33 * MINUTE;
  return { span: `${from}-${until}`, from, until };
}

test("the API subtracts the other range", async ({ serve }) => {
  const { from, until } = await fillBoth(serve);
  const ask = async (more: Record<string, string>): Promise<Response> =>
    fetch(
      `${serve.url}/api/v1/profile?${new URLSearchParams({
        query: 'cpu{service_name="api"}',
        from: String(from),
        until: String(until),
        format: "json",
        ...more,
      })}`,
    );
  const functions = async (more: Record<string, string>): Promise<Map<string, number>> => {
    const answer = await ask(more);
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as { functions: { name: string; flat: number }[] };
    return new Map(body.functions.map((f) => [f.name, f.flat]));
  };
  const before = { from: String(2 * from - until), until: String(from) };
  const after = await functions({});
  const was = await functions(before);
  const change = await functions({ base_from: before.from, base_until: before.until });
  expect(was.get("main.mul")).toBeGreaterThan(0);
  for (const name of new Set([...after.keys(), ...was.keys()]))
    expect([name, change.get(name) ?? 0]).toEqual([
      name,
      (after.get(name) ?? 0) - (was.get(name) ?? 0),
    ]);
  const none = await ask({ base_from: "1000", base_until: "2000" });
  expect(none.status).toBe(404);
  expect(await none.json()).toEqual({ error: "no profile matches in the range to compare with" });
  const wrong = await ask({ base_from: "2000", base_until: "1000" });
  expect(wrong.status).toBe(400);
  const half = await ask({ base_from: before.from });
  expect(half.status).toBe(400);
});

test("a range is compared with the time before it, and no more", async ({ serve, page }) => {
  const { span } = await fillBoth(serve);
  await page.goto(`${serve.url}/?span=${span}`);
  const flame = new Flame(page);
  await expect(flame.status).toContainText("of 15.96s cpu");
  await page.getByRole("button", { name: "compare with the time before" }).click();
  await expect(page.getByText("3.87s before, 15.96s after")).toBeVisible();
  await expect.poll(() => flame.param("vs")).toBe("before");
  const group = page.getByRole("group", { name: "Compared with" });
  await expect(group).toContainText("3 profiles");
  expect(await axeFinds(page)).toEqual([]);
  await page.getByRole("combobox", { name: "Difference" }).selectOption("shares");
  await expect(page.getByText("15.96s (scaled) before")).toBeVisible();
  await page.getByRole("button", { name: "Top", exact: true }).click();
  await expect(page.getByRole("columnheader", { name: "Before" })).toBeVisible();
  await page.getByRole("button", { name: "Compare no more" }).click();
  await expect(page.getByText(/before, .* after/)).toHaveCount(0);
  await page.goBack();
  await expect(page.getByText("15.96s (scaled) before")).toBeVisible();
});

test.describe("ranges without a profile", () => {
  test.use({ allowed: /status of 404/ });
  test("one is chosen by Shift in the chart, and by its ends", async ({ serve, page }) => {
    const { span } = await fillBoth(serve);
    await page.goto(`${serve.url}/?span=${span}`);
    const flame = new Flame(page);
    await expect(flame.status).toContainText("of 15.96s cpu");
    const box = await page.locator(".u-over").boundingBox();
    if (!box) throw new Error("no chart");
    await page.keyboard.down("Shift");
    await page.mouse.move(box.x + 4, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.4, box.y + 60, { steps: 4 });
    await page.mouse.up();
    await page.keyboard.up("Shift");
    await expect.poll(() => flame.param("vs")).toMatch(/^\d+-\d+$/);
    await expect.poll(() => flame.param("span")).toBe(span);
    await expect(page.getByText("3.87s before, 15.96s after")).toBeVisible();
    await expect(page.locator(".versus-box")).toBeVisible();
    const old = flame.param("vs");
    await page.getByRole("button", { name: "Compare with earlier" }).click();
    await expect.poll(() => flame.param("vs")).not.toBe(old);
    await expect(page.getByLabel("Compared from")).toHaveValue(/^\d{4}-\d\d-\d\dT/);
  });
});

test("what changed here leads to the difference", async ({ serve, page }) => {
  const { span } = await fillBoth(serve);
  await page.goto(`${serve.url}/?span=${span}`);
  const flame = new Flame(page);
  await page.getByRole("button", { name: "difference", exact: true }).click();
  await expect(page.getByText("3.87s before, 15.96s after")).toBeVisible();
  await expect.poll(() => flame.param("vs")).toMatch(/^\d+-\d+$/);
});

for (const colorScheme of ["light", "dark"] as const)
  test(`axe finds nothing: ${colorScheme}`, async ({ serve, page }) => {
    await page.emulateMedia({ colorScheme });
    const { span } = await fillBoth(serve);
    await page.goto(`${serve.url}/?span=${span}&vs=before&view=top`);
    await expect(page.getByRole("columnheader", { name: "Before" })).toBeVisible();
    expect(await axeFinds(page)).toEqual([]);
  });

test("the source of a stored profile is asked for, and its absence said", async ({
  serve,
  page,
}) => {
  await fill(serve);
  await page.goto(`${serve.url}/?view=source`);
  await expect(page.getByRole("region", { name: /^Source of/ })).toBeVisible();
  await expect(page.getByText(/could not find file/).first()).toBeVisible();
});
