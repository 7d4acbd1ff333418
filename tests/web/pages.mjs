// SPDX-License-Identifier: MIT
//
// pages.mjs STROBE SCRATCH MODULES [PROFILE...]: the addresses of pprof's pages, asked without a
// browser. pages.tsv says what each answers; where pprof is installed it is asked the same, so that
// the table stays true, and then the numbers and texts on its pages are compared with ours.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [strobe, scratch, modules, ...further] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const profiles = join(here, "../golden/profiles");
const ours = [strobe, "pprof"];
const theirs = spawnSync("pprof", ["-h"]).error ? undefined : ["pprof"];

// ---- the page's own code: what it makes of an answer ----

mkdirSync(scratch, { recursive: true });
const bundle = join(scratch, "pages.bundle.mjs");
createRequire(join(modules, "x.js"))("esbuild").buildSync({
  stdin: {
    contents: ["data/columns", "data/profile", "data/format", "top/rows"]
      .map((name) => `export * from "./${name}.ts";`)
      .join(""),
    resolveDir: join(here, "../../web/src"),
  },
  bundle: true,
  format: "esm",
  platform: "node",
  nodePaths: [modules],
  outfile: bundle,
});
const page = await import(pathToFileURL(bundle).href);

let checks = 0;
let failures = 0;
let graphs = 0;
function same(what, got, want) {
  checks++;
  const [a, b] = [got, want].map((v) => (typeof v === "string" ? v : JSON.stringify(v)));
  if (a === b) return;
  failures++;
  let at = 0;
  while (a[at] === b[at]) at++;
  const from = Math.max(0, at - 40);
  const [seen, wanted] = [a, b].map((text) => text.slice(from, at + 120));
  console.log(`FAIL ${what}\n  got  …${seen}\n  want …${wanted}`);
}

// ---- servers ----

const running = [];

/** Starts one on a free port, with a folder of its own for settings. */
async function start(command, name, ...args) {
  const folder = join(scratch, `config-${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const options = ["-http=localhost:", "-no_browser", ...args];
  const child = spawn(command[0], [...command.slice(1), ...options], {
    env: { ...process.env, XDG_CONFIG_HOME: folder },
  });
  running.push(child);
  const url = await new Promise((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (data) => {
      const found = /Serving web UI on (http:\S+)\n/.exec((said += data));
      if (found) resolve(found[1]);
    });
    child.on("exit", (code) => reject(new Error(`${name} ended with ${code}: ${said}`)));
  });
  const server = { url, file: join(folder, "pprof/settings.json"), name };
  for (let tries = 0; tries < 50 && (await ask(server, "/")).status === 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 100)); // pprof says it before it listens
  return server;
}

/** One request, redirects not followed; status 0 when nobody listens. */
function ask(server, path, { method = "GET", headers = {} } = {}) {
  return new Promise((resolve) => {
    const r = request(server.url, { path, method, headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () =>
        resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }),
      );
    });
    r.on("error", () => resolve({ status: 0, headers: {}, body: Buffer.alloc(0) }));
    r.end();
  });
}

// ---- addresses ----

async function checkTable(server) {
  for (const row of readFileSync(join(here, "pages.tsv"), "utf8").split("\n")) {
    if (!row || row.startsWith("#")) continue;
    const [path, status, location = "", line = ""] = row.split("\t");
    const answer = await ask(server, path);
    const text = answer.status >= 400 ? answer.body.toString().replace(/\n$/, "") : "";
    const unclean = /\/\/|\/\.\.?(\/|$)/.test(path.split("?")[0]);
    if (unclean && answer.status === 301) answer.status = 307; // Go's mux before 1.26
    const got = [answer.status, answer.headers.location ?? "", text];
    same(`${server.name} ${path}`, got, [Number(status), location, line]);
  }
}

/** What is said and returned when there is nothing to serve. */
function checkAddress(command, address, want) {
  const file = join(profiles, "orders_labels.pb.gz");
  const args = [...command.slice(1), "-no_browser", `-http=${address}`, file];
  const r = spawnSync(command[0], args, { timeout: 20000 });
  same(`${command[0]} -http=${address}`, [r.status, r.stderr.toString()], [2, want]);
}

function checkAddresses(command, taken) {
  const split = (why) => `pprof: could not split http address: address ${why}\n`;
  checkAddress(command, "foo", split("foo: missing port in address"));
  checkAddress(command, "::1:80", split("::1:80: too many colons in address"));
  checkAddress(command, "[::1", split("[::1: missing ']' in address"));
  checkAddress(command, "a[b:80", split("a[b:80: unexpected '[' in address"));
  checkAddress(
    command,
    "localhost:abc",
    'pprof: invalid port number: strconv.Atoi: parsing "abc": invalid syntax\n',
  );
  checkAddress(
    command,
    "localhost:99999",
    "Serving web UI on http://localhost:99999\npprof: listen tcp: address 99999: invalid port\n",
  );
  const port = new URL(taken.url).port;
  checkAddress(
    command,
    `localhost:${port}`,
    `Serving web UI on http://localhost:${port}\n` +
      `pprof: listen tcp 127.0.0.1:${port}: bind: address already in use\n`,
  );
}

// ---- named settings ----

const steps = [
  "saveconfig?config=x%20%3C%26y%22%C3%A9%01%0a%5C&f=a%2Bb&trim=f&nf=0.25&rel=t&n=17",
  "saveconfig?config=r&h=zz&ef=1e-7&si=samples&sort=cum&g=lines&nf=1e30",
  "saveconfig?config=gone&nf=123456789&ef=1e21",
  "saveconfig?config=last&nf=0.00001&ef=0.0000012345&tf=a=b&unit=ms",
  "deleteconfig?config=gone",
  "saveconfig?config=r&n=3",
];
const saved = `{
  "configs": [
    {
      "name": "x \\u003c\\u0026y\\"é\\u0001\\n\\\\",
      "relative_percentages": true,
      "unit": "minimum",
      "sort": "flat",
      "nodecount": 17,
      "nodefraction": 0.25,
      "edgefraction": 0.001,
      "focus": "a+b"
    },
    {
      "name": "r",
      "unit": "minimum",
      "sort": "flat",
      "nodecount": 3,
      "nodefraction": 0.005,
      "edgefraction": 0.001,
      "trim": true
    },
    {
      "name": "last",
      "unit": "ms",
      "sort": "flat",
      "nodecount": -1,
      "nodefraction": 0.00001,
      "edgefraction": 0.0000012345,
      "trim": true,
      "tagfocus": "a=b"
    }
  ]
}`;

async function checkConfigs(server) {
  for (const step of steps) {
    const answer = await ask(server, `/ui/${step}`);
    same(`${server.name} ${step}`, [answer.status, answer.body.toString()], [200, ""]);
  }
  same(`${server.name} settings.json`, readFileSync(server.file, "utf8"), saved);
}

/** What is ours: only our own page, people and programs may change the file. */
async function checkGuards(server) {
  const before = readFileSync(server.file, "utf8");
  const { host } = new URL(server.url);
  const path = "/ui/saveconfig?config=intruder";
  for (const headers of [
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "same-site" },
    { Referer: "http://evil.example/" },
    { Referer: `http://${host}.evil.example/` },
    { Origin: "http://evil.example" },
    { Host: "evil.example" },
  ])
    for (const method of ["GET", "POST"])
      same(
        `${method} with ${JSON.stringify(headers)}`,
        (await ask(server, path, { method, headers })).status,
        403,
      );
  same("the file after that", readFileSync(server.file, "utf8"), before);
  same("who may read the file", statSync(server.file).mode & 0o777, 0o600);
  const page = { "Sec-Fetch-Site": "same-origin", Origin: server.url };
  const put = await ask(server, "/ui/saveconfig?config=p&f=q", { method: "POST", headers: page });
  same("our page may save", put.status, 200);
  const list = JSON.parse((await ask(server, "/api/configs?f=q&x=1")).body);
  same(
    "the menu",
    list.map((c) => [c.name, c.query, c.current, c.user]),
    [
      ["Default", "x=1", false, false],
      ['x <&y"é\u0001\n\\', "f=a%2Bb&n=17&nf=0.25&rel=t&trim=f&x=1", false, true],
      ["r", "n=3&x=1", false, true],
      ["last", "ef=1.2345e-06&nf=1e-05&tf=a%3Db&unit=ms&x=1", false, true],
      ["p", "f=q&x=1", true, true],
    ],
  );
  const away = await ask(server, "/ui/deleteconfig?config=p", { method: "POST", headers: page });
  same("our page may delete", away.status, 200);
  const html = await ask(server, "/ui/top?n=abc", { headers: { Accept: "text/html" } });
  same("a browser gets the page", [html.status, html.headers["content-type"]], [
    400,
    "text/html; charset=utf-8",
  ]);
}

async function checkDownload(server) {
  const answer = await ask(server, "/ui/download");
  const file = join(scratch, `${server.name}.pb.gz`);
  writeFileSync(file, answer.body);
  const raw = spawnSync(strobe, ["pprof", "-raw", file]).stdout.toString();
  return [answer.headers["content-type"], answer.headers["content-disposition"], raw];
}

// ---- what the pages say ----

/** A body as the page holds it. */
function profileOf({ body }) {
  return page.makeProfile(page.readBody(Uint8Array.from(body).buffer));
}

const unescapeHtml = (text) =>
  text.replace(/&(lt|gt|amp|#34|#39|#43);/g, (_, name) =>
    ({ lt: "<", gt: ">", amp: "&", "#34": '"', "#39": "'", "#43": "+" })[name],
  );

/** The rows that our table has where the address asks for pprof's. */
function topOf(p, query) {
  const q = new URLSearchParams(query);
  const limits = page.topLimits((name) => q.get(name) ?? (name === "trim" ? "t" : ""));
  const table = page.topTable(p, limits, q.get("sort") === "cum");
  const { unit: of } = p.sampleType;
  const asked = page.settleUnit(q.get("unit") ?? "", of);
  const unit = asked || page.tableUnit(table.smallest, p.valueTotal, of);
  const spell = (v) => {
    if (unit === "auto") return page.formatValue(v, of);
    const text = page.formatIn(v, of, unit);
    return text === "0" ? text : text + unit;
  };
  return Array.from(table.all, (i) => {
    const [flat, cum] = [p.functionFlat[i], p.functionCum[i]];
    return [page.functionNameOf(p, i), flat, cum, spell(flat), spell(cum)];
  });
}

/** Rows of one name, which stand for different files or binaries, have no order in pprof. */
function inOrder(rows) {
  const alike = (x, y) => x[0] === y[0] && Math.abs(x[1]) === Math.abs(y[1]);
  return rows.sort((x, y) => (alike(x, y) ? x[2] - y[2] : 0));
}

/** False if there is nothing but an error. */
async function compareTop(a, b, query) {
  const text = (await ask(b, `/ui/top?${query}`)).body.toString();
  const found = /makeTopTable\(\s*(-?\d+)\s*,\s*(\[.*\]|null)\s*\);/.exec(text);
  const answer = await ask(a, `/api/profile?${query}`);
  if (!found) {
    same(`top?${query}`, `${JSON.parse(answer.body).error}\n`, text);
    return false;
  }
  const p = profileOf(answer);
  const want = JSON.parse(found[2]) ?? [];
  same(`top?${query}: total`, p.valueTotal, Number(found[1]));
  same(
    `top?${query}: rows`,
    inOrder(topOf(p, query)),
    inOrder(want.map((r) => [r.Name, r.Flat, r.Cum, r.FlatFormat, r.CumFormat])),
  );
  return true;
}

/** What boxes of a name have by themselves, and with what is called, counted once a stack. */
function boxesOf(p) {
  const sums = new Map();
  const { count, parent, frame, self, total } = p.tree;
  for (let i = 1; i < count; i++) {
    const name = page.frameName(p, frame[i]);
    const row = sums.get(name) ?? [name, 0, 0];
    let above = parent[i];
    while (above > 0 && page.frameName(p, frame[above]) !== name) above = parent[above];
    sums.set(name, [name, row[1] + self[i], row[2] + (above > 0 ? 0 : total[i])]);
  }
  return [...sums.values()];
}

/** Boxes are the same when their names are, with what these cost by themselves and in all. */
async function compareFlame(a, b, query) {
  const text = (await ask(b, `/ui/flamegraph?${query}`)).body.toString();
  const stacks = JSON.parse(/stackViewer\((\{.*\}), \[/.exec(text)[1]);
  const want = new Map();
  const add = (name, flat, cum) => {
    const row = want.get(name) ?? [name, 0, 0];
    want.set(name, [name, row[1] + flat, row[2] + cum]);
  };
  for (const { Value, Sources } of stacks.Stacks) {
    const names = Sources.slice(1).map((i) => stacks.Sources[i].FullName);
    for (const name of new Set(names)) add(name, name === names.at(-1) ? Value : 0, Value);
  }
  const p = profileOf(await ask(a, `/api/profile?${query}`));
  const order = (x, y) => (x[0] < y[0] ? -1 : 1);
  const named = (rows) => rows.filter((r) => !/^\?\d+\?/.test(r[0]) && (r[1] || r[2])).sort(order);
  same(`flamegraph?${query}: total`, p.valueTotal, stacks.Total);
  same(`flamegraph?${query}: boxes`, named(boxesOf(p)), named([...want.values()]));
}

async function compareText(a, b, view, query) {
  const page = await ask(b, `/ui/${view}?${query}`);
  const re = new URLSearchParams(query).get("f") ?? "";
  const text = await ask(a, `/api/text?report=${view}&re=${encodeURIComponent(re)}&${query}`);
  const found = /<pre>\s*([\s\S]*?)\s*<\/pre>/.exec(page.body.toString());
  if (page.status !== 200) {
    same(`${view}?${query}`, `${JSON.parse(text.body).error}\n`, page.body.toString());
    return;
  }
  same(`${view}?${query}`, text.body.toString().trim(), unescapeHtml(found[1]));
}

/** Both as texts that sort: names may stand in any order where they cost the same. */
async function compareGraph(a, b, query) {
  const page = (await ask(b, `/ui/graph?${query}`)).body.toString();
  if (!page.includes("<svg")) return; // dot is not installed, or refuses a name of the profile
  graphs++;
  const names = JSON.parse(/viewer\(new URL\(window\.location\.href\), (\[.*\])/.exec(page)[1]);
  const graph = JSON.parse((await ask(a, `/api/graph?${query}`)).body);
  const got = graph.nodes.map((n) => n.function ?? n.name);
  same(`graph?${query}`, got.sort(), names.slice(1).sort());
}

const queries = [
  "",
  "si=samples",
  "si=0",
  "f=main",
  "i=runtime&rel=t",
  "h=runtime",
  "s=main",
  "sf=main",
  "prunefrom=work",
  "tf=.",
  "ti=.",
  "g=files",
  "g=lines&f=main",
  "g=filefunctions",
  "g=addresses",
  "noinlines=t",
  "trim=f",
  "f=main&i=sort&h=runtime&g=lines&noinlines=y",
  "f=nosuch",
  "nf=0.05&n=5",
  "nf=0.2&sort=cum",
  "nf=0&sort=cum&g=lines",
  "mean=t",
  "mean=t&sort=cum&f=main&nf=0.1",
  "mean=t&rel=t&i=runtime",
  "mean=t&si=0",
  "unit=ms",
  "unit=hours&nf=0",
  "unit=auto",
  "unit=MB&trim=f",
  "unit=nonsense",
  "dropneg=t",
  "dropneg=t&sort=cum&mean=t&unit=us",
];

async function compareAll(path, ...flags) {
  const a = await start(ours, "ours", ...flags, path);
  const b = await start(theirs, "theirs", ...flags, path);
  for (const query of queries) {
    if (!(await compareTop(a, b, query))) continue;
    if (!query.includes("g=")) await compareFlame(a, b, query);
    await compareGraph(a, b, query);
  }
  for (const query of ["f=main", "f=a", "f=nosuch", "f=.&nf=0.02", "f=main&si=0&rel=t"])
    for (const view of ["peek", "disasm"]) await compareText(a, b, view, query);
  same(`${path}: download`, await checkDownload(a), await checkDownload(b));
}

try {
  const file = join(profiles, "orders_labels.pb.gz");
  for (const [name, command] of [
    ["strobe", ours],
    ["pprof", theirs],
  ]) {
    if (!command) continue;
    const server = await start(command, name, file);
    await checkTable(server);
    await checkConfigs(server);
    checkAddresses(command, server);
    if (command === ours) await checkGuards(server);
  }
  const other = join(profiles, "kern_cpu.pb.gz");
  const more = further.length > 0 ? further : [file, other];
  if (theirs) {
    for (const path of more) await compareAll(path);
    await compareAll(file, `-base=${other}`);
    await compareAll(file, `-diff_base=${other}`);
  }
  if (!theirs) console.log("pprof is not installed: only the recorded answers were compared");
} finally {
  for (const child of running) {
    child.removeAllListeners("exit");
    child.kill();
  }
}
console.log(`${checks} compared, ${graphs} graphs among them; ${failures} differ`);
process.exit(failures ? 1 : 0);
