// SPDX-License-Identifier: MIT
//
// Targets: one that answers and one that does not, scraped by the server under test.

import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, expectToFit, golden } from "./page.ts";
import { axeFinds, BLOCK, CPU, test as base } from "./serve_page.ts";

/** What a program answers at /debug/pprof; other kinds it does not have. */
const kinds: Record<string, string> = {
  "/debug/pprof/profile": CPU,
  "/debug/pprof/block": BLOCK,
};

function listen(): Promise<Server> {
  const server = createServer((request, answer) => {
    const file = kinds[new URL(request.url ?? "/", "http://x").pathname];
    answer.statusCode = file ? 200 : 404;
    answer.end(file ? readFileSync(join(golden, file)) : "no such profile");
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

const test = base.extend({
  config: async ({}, use) => {
    const server = await listen();
    const { port } = server.address() as AddressInfo;
    await use(`scrape_configs:
- job_name: api
  scrape_interval: 2s
  scrape_timeout: 5s
  profiles: {cpu: {seconds: 1}}
  static_configs:
  - targets: ["127.0.0.1:${port}"]
    labels: {env: prod}
- job_name: gone
  scrape_interval: 2s
  profiles: {cpu: {seconds: 1}}
  static_configs: [{targets: ["127.0.0.1:9"]}]
`);
    server.closeAllConnections();
    server.close();
  },
});

test("targets say how they do, and errors stand there in full", async ({ serve, page }) => {
  await page.goto(`${serve.url}/?page=targets`);
  const up = page.getByRole("row", { name: /^api / });
  await expect(up.locator(".state-up")).toHaveText("up", { timeout: 20_000 });
  await expect(up).toContainText(/cpu \d/);
  await expect(up).toContainText("heap absent");
  const down = page.getByRole("row", { name: /^gone / });
  await expect(down.locator(".state-down")).toHaveText("down", { timeout: 20_000 });
  await expect(down.locator("td.error")).toContainText("127.0.0.1:9");
  await expect(down.locator("td.error")).toContainText(/connect/i);
  expect(await axeFinds(page)).toEqual([]);
  await page.setViewportSize({ width: 360, height: 740 });
  await expectToFit(page, 360);
});

test("what is scraped leads to its views, with its labels", async ({ serve, page }) => {
  await page.goto(`${serve.url}/?range=30d`); /* the profiles are as old as the golden ones */
  await expect(page.getByRole("combobox", { name: "Application" })).toHaveValue("api", {
    timeout: 20_000,
  });
  await expect(page.getByRole("contentinfo")).toContainText("cpu");
  await expect(page.locator(".context dl")).toContainText("prod");
  await expect(page.locator(".context dl")).toContainText("Go");
});
