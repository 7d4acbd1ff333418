// SPDX-License-Identifier: MIT
//
// saved.mjs STROBE SCRATCH MODULES [ROUNDS PROFILE...]: a saved page counts by itself what the live
// page asks the server for. Both are asked the same of every profile here, with filters, walks and
// sample types that a seed chooses, and must answer the same.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";

const [strobe, scratch, modules, rounds = "12", ...further] = process.argv.slice(2);
const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const golden = (name) => join(root, "tests/golden/profiles", name);

mkdirSync(scratch, { recursive: true });
const bundle = join(scratch, "saved.bundle.mjs");
createRequire(join(modules, "x.js"))("esbuild").buildSync({
  stdin: {
    contents:
      'export * from "./saved/answer.ts"; export * from "./saved/proto.ts"; ' +
      'export { readBody } from "./data/columns.ts";',
    resolveDir: join(root, "web/src"),
  },
  bundle: true,
  format: "esm",
  platform: "node",
  nodePaths: [modules],
  outfile: bundle,
});
const { makeAnswerer, readProfile, readBody } = await import(pathToFileURL(bundle).href);

let checks = 0;
let failures = 0;
function same(what, got, want) {
  checks++;
  const [a, b] = [got, want].map((v) => JSON.stringify(v));
  if (a === b) return;
  if (failures++ > 10) return;
  let at = 0;
  while (a[at] === b[at]) at++;
  const [x, y] = [a, b].map((text) => text.slice(Math.max(0, at - 60), at + 140));
  console.log(`FAIL ${what}\n  saved …${x}\n  live  …${y}`);
}

// ---- both sides ----

const running = [];
process.on("exit", () => running.forEach((child) => child.kill()));

async function live(args) {
  const child = spawn(strobe, ["web", "-no_browser", ...args]);
  running.push(child);
  return new Promise((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (data) => {
      const found = /Serving web UI on (http:\S+)\n/.exec((said += data));
      if (found) resolve(found[1]);
    });
    child.on("exit", (code) => reject(new Error(`strobe web ended with ${code}: ${said}`)));
  });
}

function saved(args) {
  const file = join(scratch, "page.html");
  const r = spawnSync(strobe, ["web", `-export=${file}`, ...args], { encoding: "utf8" });
  if (r.status !== 0) throw new Error(`-export ended with ${r.status}: ${r.stderr}`);
  const page = readFileSync(file, "utf8");
  const block = (id) =>
    gunzipSync(Buffer.from(new RegExp(`id="${id}">([^<]*)<`).exec(page)[1], "base64"));
  const extra = JSON.parse(block("saved-extra").toString());
  return makeAnswerer(readProfile(block("saved-profile")), extra);
}

// ---- what is compared ----

/** What the page would see: names in place of numbers, which may differ. */
function spell(bytes) {
  const body = readBody(bytes);
  const { strings: _, self_unit, ...unsorted } = body.facts;
  const facts = Object.fromEntries(Object.entries(unsorted).sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = (column) => Array.from(body.i32(column), (n) => body.facts.strings[n]);
  const f64 = (column) => Array.from(body.f64(column));
  const names = text("function_name");
  const [file, module] = [text("frame_file"), text("frame_module")];
  const [line, inlined] = [body.i32("frame_line"), body.i32("frame_inlined")];
  const frames = Array.from(body.i32("frame_function"), (fn, i) =>
    [names[fn], file[i], module[i], line[i], inlined[i]].join(" "),
  );
  const functions = {};
  const [flat, cum] = [f64("function_flat"), f64("function_cum")];
  const sides = body.has("function_flat_before")
    ? [f64("function_flat_before"), f64("function_cum_before")]
    : [];
  names.forEach((name, i) => {
    const numbers = [flat[i], cum[i], ...sides.map((s) => s[i])];
    if (numbers.some((n) => n !== 0)) functions[name] = numbers;
  });
  if (facts.sides) delete facts.sides.variance_unit;
  const order = Object.keys(functions).sort();
  return {
    facts,
    functions: order.map((name) => [name, functions[name]]),
    tree: Array.from(body.i32("node_parent"), (parent, i) => [
      parent,
      frames[body.i32("node_frame")[i]] ?? body.i32("node_frame")[i],
    ]),
    self: Array.from(body.numbers("node_self", self_unit)),
    weight: body.has("node_weight") ? Array.from(body.numbers("node_weight", self_unit)) : null,
  };
}

/** Filters of the command line have been gone through when the page was saved. */
const warnings = (answer, given) => {
  const text = answer.headers.get("X-Strobe-Warnings");
  const silent = { f: /^Focus/, h: /^Hide/ };
  const told = (line) => !given.some((kind) => silent[kind]?.test(line));
  return text ? [...new Set(JSON.parse(decodeURIComponent(text)))].filter(told).sort() : [];
};

async function compare({ a, b, given }, path, read) {
  const [got, want] = await Promise.all([a(path), fetch(b + path)]);
  same(`${path}: warnings`, warnings(got, given), warnings(want, given));
  if (got.status !== 200 || want.status !== 200) {
    same(`${path}: refused`, (await got.text()).trim(), (await want.text()).trim());
    return;
  }
  same(path, await read(got), await read(want));
}

// ---- questions ----

let seed = 12345;
const random = (n) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
};
const pick = (list) => list[random(list.length)];

/** Words of names, and expressions that mean one function. */
function expressions(functions) {
  const names = functions.map(([name]) => name);
  const exact = (name) => `^${name.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&")}$`;
  const words = names.flatMap((name) => name.match(/[A-Za-z]{3,}/g) ?? []);
  return () =>
    pick([() => exact(pick(names)), () => pick(words), () => `${pick(words)}|${pick(words)}`])();
}

/** What the command line says is in a saved page for good: `given` is not asked for again. */
function question(expression, facts, given) {
  const q = new URLSearchParams();
  if (random(2)) q.set("si", pick(facts.sample_types).type);
  for (const kind of ["f", "i", "h", "s", "sf"].filter((k) => !given.includes(k)))
    for (let n = random(5); n > 3; n--) q.append(kind, random(8) ? expression() : "nosuch");
  const label = facts.labels.length > 0 ? pick(facts.labels) : undefined;
  if (label && random(3) === 0 && !/^\d/.test(label.values[0].value)) // ranges are not for it
    q.append(pick(["tf", "ti"]), `${label.key}=${pick(label.values).value}`);
  if (label && random(4) === 0 && !given.includes("tagroot")) q.set("tagroot", label.key);
  if (random(4) === 0) q.set("rel", "t");
  if (random(2)) q.set("g", pick(["functions", "filefunctions", "files", "lines", "addresses"]));
  if (random(4) === 0) q.set("noinlines", "t");
  if (random(4) === 0) q.set("showcolumns", "t");
  return q;
}

async function compareAll(name, args, given = []) {
  console.log(`# ${name}`);
  const both = { a: saved(args), b: await live(args), given };
  const { b } = both;
  const bytes = async (answer) => spell(await answer.arrayBuffer());
  const json = (answer) => answer.json();
  await compare(both, "/api/profile", bytes);
  const { facts, functions } = await bytes(await fetch(`${b}/api/profile`));
  if (functions.length === 0) return;
  const expression = expressions(functions);
  for (let i = 0; i < Number(rounds); i++) {
    const q = question(expression, facts, given);
    const fn = encodeURIComponent(pick(functions)[0]);
    await compare(both, `/api/source?${q}&fn=${fn}`, json);
    if (random(2)) {
      const rows = await bytes(await fetch(`${b}/api/profile?${q}`));
      q.set("walk", pick(["leaf", "callers", "callees"]));
      q.set("fn", pick(rows.functions.length > 0 ? rows.functions : functions)[0]);
    }
    await compare(both, `/api/profile?${q}`, bytes);
    const re = encodeURIComponent(expression());
    const si = pick(facts.sample_types).type;
    await compare(both, `/api/text?report=peek&si=${si}&re=${re}`, (answer) => answer.text());
    await compare(both, `/api/graph?si=${si}&svg=1`, json);
  }
}

const all = ["orders_labels.pb.gz", "kern_cpu.pb.gz", "orders_block.pb.gz"];
for (const name of all) await compareAll(name, [golden(name)]);
await compareAll("a difference", [`-diff_base=${golden(all[1])}`, golden(all[0])]);
await compareAll("less a base", [`-base=${golden(all[1])}`, golden(all[0])]);
const flags = ["-focus=main", "-hide=runtime", "-tagroot=stage", "-relative_percentages"];
for (const g of ["-lines", "-addresses", "-files"])
  await compareAll(g, [g, "-noinlines", golden(all[0])]);
await compareAll("flags", [...flags, golden(all[0])], ["f", "h", "tagroot"]);
for (const file of further) await compareAll(file, [file]);
console.log(`${checks} compared; ${failures} differ`);
process.exit(failures ? 1 : 0);
