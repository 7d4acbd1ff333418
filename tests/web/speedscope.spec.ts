// SPDX-License-Identifier: MIT
//
// What strobe writes opens in speedscope: the same functions with the same numbers.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { expect, test } from "@playwright/test";
import { golden, root } from "./page.ts";

const release = join(root, "node_modules/speedscope/dist/release");
const strobe = process.env.STROBE ?? join(root, "build/strobe");
const types: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
};

test.skip(!existsSync(release), "speedscope is not installed");

test("a profile that strobe converted has its total in speedscope", async ({ page }) => {
  const file = join(mkdtempSync(join(tmpdir(), "strobe-speedscope-")), "folded.pb.gz");
  execFileSync(strobe, ["convert", "-o", file, join(golden, "orders_labels.pb.gz")]);
  const server = createServer((q, r) => {
    const path = new URL(q.url ?? "/", "http://x").pathname;
    const from = path === "/profile.pb.gz" ? file : join(release, path);
    if (!existsSync(from)) {
      r.writeHead(404).end();
      return;
    }
    r.writeHead(200, { "Content-Type": types[extname(from)] ?? "application/octet-stream" });
    r.end(readFileSync(from));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    const { port } = server.address() as AddressInfo;
    await page.goto(`http://127.0.0.1:${port}/index.html#profileURL=/profile.pb.gz`);
    await page.getByText("Sandwich").click();
    const row = page.locator("tr", { hasText: "EncodeBlock" }).first();
    /* strobe top: 0.51s of 1.33s with callees, 38.35% */
    await expect(row).toContainText("510.00ms (38%)");
    await expect(page.locator("tr", { hasText: "asyncPreempt" }).first()).toContainText("390.00ms");
  } finally {
    server.close();
  }
});
