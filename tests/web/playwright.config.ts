// SPDX-License-Identifier: MIT
//
// Browser tests run against Debian's chromium, which may not talk to anyone but the page.

import { defineConfig } from "@playwright/test";
import { chromiumPath } from "./chromium.mjs";

const chromiumFlags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export default defineConfig({
  testDir: ".",
  outputDir: process.env.STROBE_WEB_SCRATCH ?? "../../test-results",
  fullyParallel: true,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  retries: 1, // a busy machine is late now and then; the list says which were flaky
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    viewport: { width: 1280, height: 760 },
    launchOptions: {
      executablePath: chromiumPath,
      args: chromiumFlags,
    },
  },
});
