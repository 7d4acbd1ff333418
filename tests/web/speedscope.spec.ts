// SPDX-License-Identifier: MIT
//
// What strobe writes opens in speedscope: the same functions with the same numbers.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { golden, root } from "./page.ts";

const release = join(root, "node_modules/speedscope/dist/release");
const strobe = process.env.STROBE ?? join(root, "build/strobe");
const types: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
};

test.skip(!existsSync(release), "speedscope is not installed");

/* Opens speedscope on a file of ours, and shows its table of functions. */
async function sandwich(page: Page, file: string, look: () => Promise<void>): Promise<void> {
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
    await look();
  } finally {
    server.close();
  }
}

function scratch(name: string): string {
  return join(mkdtempSync(join(tmpdir(), "strobe-speedscope-")), name);
}

test("a profile that strobe converted has its total in speedscope", async ({ page }) => {
  const file = scratch("folded.pb.gz");
  execFileSync(strobe, ["convert", "-o", file, join(golden, "orders_labels.pb.gz")]);
  await sandwich(page, file, async () => {
    const row = page.locator("tr", { hasText: "EncodeBlock" }).first();
    /* strobe top: 0.51s of 1.33s with callees, 38.35% */
    await expect(row).toContainText("510.00ms (38%)");
    await expect(page.locator("tr", { hasText: "asyncPreempt" }).first()).toContainText("390.00ms");
  });
});

test("a recording added to itself has twice its time in speedscope", async ({ page }) => {
  const recorded = scratch("recorded.pb.gz");
  const merged = scratch("merged.pb.gz");
  const loop = "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done";
  execFileSync(strobe, ["record", "-F", "1000", "-o", recorded, "--", "sh", "-c", loop]);
  execFileSync(strobe, ["merge", "-o", merged, recorded, recorded]);
  const top = execFileSync(strobe, ["top", "-unit=ms", "-nodecount=1", recorded]).toString();
  const [, flat = "", name = ""] =
    /^ *([\d.]+)ms +\S+ +\S+ +\S+ +\S+ +(\S+)/m.exec(top.slice(top.indexOf("flat%"))) ?? [];
  expect(Number(flat)).toBeGreaterThan(0);
  for (const [file, times] of [[recorded, 1], [merged, 2]] as const) {
    await sandwich(page, file, async () => {
      const row = page.locator("tr", { hasText: name }).first();
      await expect(row).toContainText(`${(Number(flat) * times).toFixed(2)}ms`);
    });
  }
});
