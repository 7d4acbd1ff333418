// SPDX-License-Identifier: MIT
//
// Finds the packages that the page is built from: the node_modules beside package.json if they are
// the ones the lock file names, else an installation of our own in the build folder. So `ninja`
// works in any checkout, and the sources stay untouched.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;

/** Whether every package the page needs at build time is in `dir` in its locked version. */
function isCurrent(dir) {
  return Object.keys(wanted[""].dependencies).every((name) => {
    const file = join(dir, "node_modules", name, "package.json");
    return (
      existsSync(file) &&
      JSON.parse(readFileSync(file, "utf8")).version === wanted[`node_modules/${name}`].version
    );
  });
}

function install(dir) {
  mkdirSync(dir, { recursive: true });
  for (const file of ["package.json", "package-lock.json", ".npmrc"])
    copyFileSync(join(root, file), join(dir, file));
  try {
    execFileSync("npm", ["ci", "--omit=dev", "--ignore-scripts", "--loglevel=error"], {
      cwd: dir,
      stdio: ["ignore", "ignore", "inherit"],
    });
  } catch (e) {
    const why = e.code === "ENOENT" ? "npm is not installed" : "npm ci failed, see above";
    console.error(`web: the page's packages could not be installed: ${why}.`);
    console.error("web: run ./dev build, which installs what it needs.");
    process.exit(1);
  }
}

/** The node_modules to build with; `scratch` is where an installation may be made. */
export function findModules(scratch) {
  if (isCurrent(root)) return join(root, "node_modules");
  if (!isCurrent(scratch)) install(scratch);
  return join(scratch, "node_modules");
}

export function loadEsbuild(modules) {
  return createRequire(join(modules, "x.js"))("esbuild");
}
