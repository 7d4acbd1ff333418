// SPDX-License-Identifier: MIT
//
// node run.mjs SCRATCH MODULES: bundles the tests of the page's pure code and runs them with node's
// own test runner. MODULES is where the build installed packages, should the top have none.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { findModules, loadEsbuild, root } from "../modules.mjs";

const [scratch, private_] = process.argv.slice(2).map((p) => resolve(p));
const modules = findModules(private_);
const tests = readdirSync(join(root, "web/test")).filter((f) => f.endsWith(".test.ts"));
loadEsbuild(modules).buildSync({
  entryPoints: tests.map((f) => join(root, "web/test", f)),
  outdir: scratch,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node18",
  define: { SOURCE_ROOT: JSON.stringify(root) },
  nodePaths: [modules],
  logLevel: "warning",
});
const files = tests.map((f) => join(scratch, f.replace(/ts$/, "mjs")));
const { status } = spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" });
process.exit(status ?? 1);
