// SPDX-License-Identifier: MIT
//
// Which browser the tests, the pictures and the benchmark open: the shell without windows, which
// takes half of the processor time of a whole browser, or what there is.

import { existsSync } from "node:fs";

export const chromiumPath =
  [
    process.env.STROBE_CHROMIUM,
    "/usr/bin/chromium-headless-shell",
    "/usr/bin/chromium-browser",
  ].find((path) => path && existsSync(path)) ?? "/usr/bin/chromium";
