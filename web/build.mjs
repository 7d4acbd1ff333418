// SPDX-License-Identifier: MIT
//
// node build.mjs OUTPUT.c DEPFILE SCRATCH: bundles the page and writes it as a C table of gzip'ed
// files, `web_assets` of src/web/assets.h. Script and style are named by a hash of their content.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { findModules, loadEsbuild, root } from "./modules.mjs";

const [output, depfile, scratch] = process.argv.slice(2).map((p) => resolve(p));
const modules = findModules(scratch);

const types = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
};

const inputs = ["package-lock.json", "web/build.mjs", "web/modules.mjs"].map((p) => join(root, p));

const target = ["chrome111", "firefox113", "safari16.4"]; // those that know oklch()

function bundle(entry, define = {}, format = "esm") {
  const result = loadEsbuild(modules).buildSync({
    entryPoints: [join(root, "web/src", entry)],
    absWorkingDir: root,
    bundle: true,
    minify: true,
    define,
    write: false,
    metafile: true,
    format,
    target,
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: entry.startsWith("graph/") ? "inline" : "none", // Graphviz wants its notice kept
    nodePaths: [modules],
    logLevel: "warning",
  });
  inputs.push(...Object.keys(result.metafile.inputs).map((p) => resolve(root, p)));
  return Buffer.from(result.outputFiles[0].contents);
}

function hashed(name, ext, content) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
  return { path: `/assets/${name}-${hash}.${ext}`, content, ext, immutable: true };
}

function bytes(buffer) {
  const rows = [];
  for (let i = 0; i < buffer.length; i += 24)
    rows.push("    " + Array.from(buffer.subarray(i, i + 24)).join(","));
  return rows.join(",\n");
}

/* A saved page is a file, where no module may be had from a blob: a script that is none is for both. */
const engine = bundle("graph/viz_worker.ts", { "import.meta.url": "self.location.href" }, "iife");
const viz = { ...hashed("viz", "js", engine), compiles: true };
const paths = { VIZ_PATH: JSON.stringify(viz.path) };
const script = hashed("app", "js", bundle("main.tsx", paths));
const serve = hashed("serve", "js", bundle("serve/main.tsx", paths));
if (/<!--|<\/script/i.test(script.content.toString()))
  throw new Error("a saved page has the script inside: it may not hold what ends one");
/** What stands once in dark.css holds where the system or the reader wants it. */
function withDark(entry) {
  const file = join(root, "web/src/dark.css");
  const dark = (selector) => readFileSync(file, "utf8").replace(":root {", `${selector} {`);
  inputs.push(file);
  const system = `@media (prefers-color-scheme: dark) {${dark(':root:not([data-theme="light"])')}}`;
  const text = system + dark(':root[data-theme="dark"]');
  const { code } = loadEsbuild(modules).transformSync(text, { loader: "css", minify: true, target });
  return Buffer.concat([bundle(entry), Buffer.from(code)]);
}

const style = hashed("app", "css", withDark("app.css"));

function page(name) {
  const file = join(root, "web/src", name);
  inputs.push(file);
  const text = readFileSync(file, "utf8")
    .replaceAll("{{script}}", script.path)
    .replaceAll("{{serve}}", serve.path)
    .replaceAll("{{style}}", style.path);
  return { path: `/${name}`, content: Buffer.from(text), ext: "html", immutable: false };
}

const assets = [page("index.html"), page("serve.html"), page("404.html"), script, serve, viz, style];
const parts = ["/* Made by web/build.mjs. */", '#include "web/assets.h"', ""];
assets.forEach((a, i) => {
  a.gzip = gzipSync(a.content, { level: 9 });
  parts.push(`static const unsigned char asset_${i}[] = {\n${bytes(a.gzip)}};\n`);
});
parts.push("const struct asset web_assets[] = {");
assets.forEach((a, i) => {
  const sizes = `sizeof asset_${i}, ${a.content.length}`;
  parts.push(`    {"${a.path}", "${types[a.ext]}", asset_${i}, ${sizes}, ${a.immutable}, ${a.compiles ?? false}},`);
});
parts.push("    {0},", "};", "");
writeFileSync(output, parts.join("\n"));
writeFileSync(depfile, `${output}: ${inputs.map((p) => p.replaceAll(" ", "\\ ")).join(" ")}\n`);
