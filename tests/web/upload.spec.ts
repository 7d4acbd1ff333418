// SPDX-License-Identifier: MIT
//
// Profiles that are sent by the page: chosen, or dropped on it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, Flame, golden } from "./page.ts";
import { axeFinds, BLOCK, CPU, test } from "./serve_page.ts";

test("a file that is chosen is sent, and the page goes to it", async ({ serve, page }) => {
  await page.goto(serve.link);
  await expect(page).not.toHaveURL(/token/);
  await page.locator("input[type=file]").setInputFiles(join(golden, CPU));
  const form = page.getByRole("form", { name: "Upload" });
  await expect(form.getByLabel("application")).toHaveValue("orders_labels");
  await form.getByLabel("application").fill("shop");
  await form.getByLabel("labels").fill("env=test, version=1.2");
  expect(await axeFinds(page)).toEqual([]);
  await form.getByRole("button", { name: "Send" }).click();
  await expect(form).toBeHidden();
  const flame = new Flame(page);
  await expect(flame.status).toContainText("of 1.33s cpu");
  await expect(page.getByRole("combobox", { name: "Application" })).toHaveValue("shop");
  await expect(page.locator("#count")).toHaveText("1 profile");
  await expect(page.locator(".context dl")).toContainText("test");
});

test("files that are dropped anywhere are sent, each to its view", async ({ serve, page }) => {
  await page.goto(serve.link);
  await expect(page.getByRole("heading", { name: "Nothing has come in yet." })).toBeVisible();
  const bytes = [...readFileSync(join(golden, BLOCK))];
  const data = await page.evaluateHandle((content) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(content)], "api.mutex.pb.gz"));
    return transfer;
  }, bytes);
  await page.dispatchEvent("body", "dragover", { dataTransfer: data });
  await expect(page.getByText("Drop profiles to send them")).toBeVisible();
  await page.dispatchEvent("body", "drop", { dataTransfer: data });
  await expect(page.getByText("Drop profiles to send them")).toBeHidden();
  const form = page.getByRole("form", { name: "Upload" });
  await expect(form.getByLabel("application")).toHaveValue("api");
  await form.getByRole("button", { name: "Send" }).click();
  const flame = new Flame(page);
  await expect(flame.status).toContainText("delay");
  await expect.poll(() => flame.param("page")).toBe("time");
  await expect.poll(() => flame.param("kind")).toBe("mutex");
});

test.describe("what cannot be sent", () => {
  test.use({ allowed: /4\d\d/ });
  test("is explained, in the server's words", async ({ serve, page }) => {
    await page.goto(serve.link);
    const file = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no profile") };
    await page.locator("input[type=file]").setInputFiles(file);
    const form = page.getByRole("form", { name: "Upload" });
    await form.getByLabel("labels").fill("nonsense");
    await form.getByRole("button", { name: "Send" }).click();
    await expect(form.locator(".error")).toContainText('"nonsense" is no label');
    await form.getByLabel("labels").fill("");
    await form.getByRole("button", { name: "Send" }).click();
    await expect(form.locator(".error")).toContainText("notes.txt: ");
    await form.getByRole("button", { name: "Cancel" }).click();
    await expect(form).toBeHidden();
  });
});

test("without the token the page says how to get it", async ({ serve, page }) => {
  await page.goto(serve.url);
  await page.locator("input[type=file]").setInputFiles(join(golden, CPU));
  await expect(page.getByText("Sending profiles needs the token")).toBeVisible();
  await expect(page.getByText("strobe serve printed", { exact: false })).toBeVisible();
});
