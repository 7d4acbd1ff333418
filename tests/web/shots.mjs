// SPDX-License-Identifier: MIT
//
// node shots.mjs STROBE OUTPUT [NAME…]: the pictures of docs/ui.md, from real data. It starts a
// `strobe serve` in a folder that is removed, lets it scrape a prometheus, runs the suite's short
// inputs, and takes every view and state, light and dark, on a desktop and on a phone. With NAMEs
// only the pictures whose names begin so. pngquant, where it is installed, makes them small.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chromiumPath } from "./chromium.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const { chromium } = createRequire(join(root, "package.json"))("@playwright/test");
const [strobe, output] = process.argv.slice(2, 4).map((p) => resolve(p));
const wanted = process.argv.slice(4);
const dir = mkdtempSync(join(tmpdir(), "strobe-shots-"));
const env = { ...process.env, XDG_STATE_HOME: dir, STROBE_SUITES: join(root, "suites") };
const children = [];
const TARGET = 19377;

const sizes = { desktop: { width: 1280, height: 760 }, phone: { width: 390, height: 844 } };
const looks = {
  "": ["desktop", "light"],
  "-dark": ["desktop", "dark"],
  "-phone": ["phone", "light"],
  "-phone-dark": ["phone", "dark"],
};
const all = Object.keys(looks);
const desktop = ["", "-dark"];
const one = [""];

function sleep(ms) {
  return new Promise((r) => setTimeout(r, ms));
}

function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env, ...options });
  children.push(child);
  return child;
}

/** Starts `strobe` and waits for the address that it prints. */
function listen(args, pattern) {
  const child = start(strobe, args);
  return new Promise((done, fail) => {
    let said = "";
    const hear = (data) => {
      said += data;
      const found = pattern.exec(said);
      if (found) done(found[1]);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("exit", (code) => fail(new Error(`strobe ${args[0]} ended with ${code}: ${said}`)));
  });
}

const serveLine = /(http:\S+#token=[0-9a-f]+)/;

function suite(server, ...args) {
  const r = spawnSync(strobe, ["suite", "run", "-q", ...args], {
    env: { ...env, STROBE_SERVER: server },
    encoding: "utf8",
  });
  if (r.status !== 0) console.error(`suite run ${args.join(" ")}: ${r.stderr}`);
}

/* ---- a page and what to do with it ---- */

let browser;

async function shoot(...args) {
  try {
    await take(...args);
  } catch (e) {
    console.error(`${args[0]} could not be taken: ${e.message}`);
    process.exitCode = 1;
  }
}

async function take(name, url, variants = all, prepare = async () => {}) {
  if (wanted.length > 0 && !wanted.some((w) => name.startsWith(w))) return;
  for (const variant of variants) {
    const [size, colorScheme] = looks[variant];
    const page = await browser.newPage({
      viewport: sizes[size],
      colorScheme,
      hasTouch: size === "phone",
    });
    await page.goto(url);
    await page.waitForSelector("main", { timeout: 20_000, state: "attached" });
    await page.waitForFunction(() => !document.querySelector("main[aria-busy=true]"));
    await sleep(1400);
    await prepare(page);
    await sleep(400);
    const file = join(output, `${name}${variant}.png`);
    await page.screenshot({ path: file });
    spawnSync("pngquant", ["--force", "--skip-if-larger", "--output", file, "128", file]);
    await page.close();
    console.log(file);
  }
}

/* ---- what there is to be seen ---- */

const flameKeys =
  (...keys) =>
  async (page) => {
    await page.getByRole("application").first().focus();
    for (const key of keys) await page.keyboard.press(key);
  };

async function profilePages(file) {
  const url = await listen(["web", "-no_browser", file], /Serving web UI on (http:\S+)\n/);
  const at = (query) => `${url}/${query}`;
  await shoot("flame", at(""), ["", "-dark"]);
  await shoot("web-flame", at(""));
  await shoot("web-flame-zoom", at(""), one, flameKeys("ArrowDown", "ArrowDown", "Enter"));
  await shoot("web-flame-upwards", at("?up=1&col=file"), one);
  await shoot("web-flame-inverted", at("?inv=1&col=self"), desktop);
  await shoot("web-search", at("?q=malloc|memmove|runtime"), desktop);
  await shoot("web-menu", at(""), desktop, async (page) => {
    const box = await page.getByRole("application").boundingBox();
    await page.mouse.click(box.x + 260, box.y + 100, { button: "right" });
  });
  await shoot("web-refined", at("?f=ServeHTTP|sqlite3_step&h=runtime|libc"), one);
  await shoot("web-tree", at("?view=tree"));
  await shoot("web-top", at("?view=top"));
  await shoot("web-calls", at("?view=calls"));
  await shoot("web-graph", at("?view=graph"));
  await shoot("web-source", at("?view=source"));
  await shoot("web-source-code", at("?view=source&asm=1"), desktop);
  await shoot("web-peek", at("?view=peek"), one);
  await shoot("web-help", at(""), desktop, (page) => page.keyboard.press("?"));
  await shoot("web-nothing-left", at("?f=no.such.function"), one);
}

async function diffPages(before, after) {
  const args = ["web", "-no_browser", `-diff_base=${before}`, after];
  const url = await listen(args, /Serving web UI on (http:\S+)\n/);
  await shoot("web-diff", `${url}/`, all);
  await shoot("web-diff-top", `${url}/?view=top`, desktop);
  await shoot("web-diff-graph", `${url}/?view=graph`, one);
}

async function emptyPages() {
  const link = await listen(
    ["serve", "--listen", "127.0.0.1:0", "--store", `sqlite:${join(dir, "empty.db")}`],
    serveLine,
  );
  const [url, hash] = link.split("/#");
  await shoot("serve-empty", `${url}/#${hash}`);
  await shoot("targets-none", `${url}/?page=targets`, one);
  await shoot("upload-no-token", url, one, (page) =>
    page.locator("input[type=file]").setInputFiles(join(root, "README.md")),
  );
  await shoot("upload-drop", `${url}/#${hash}`, one, async (page) => {
    const data = await page.evaluateHandle(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(["x"], "cpu.pb.gz"));
      return transfer;
    });
    await page.dispatchEvent("body", "dragover", { dataTransfer: data });
  });
}

async function chartPages(url, hash) {
  const at = (query) => `${url}/?range=15m&${query}#${hash}`;
  await shoot("serve-cpu", at("app=etcd"));
  await shoot("serve-tree", at("app=prometheus&view=tree"));
  await shoot("serve-top", at("app=zstd&view=top"), one);
  await shoot("serve-memory", at("app=prometheus&page=memory"));
  await shoot("serve-time", at("app=prometheus&page=time"));
  await shoot("serve-time-mutex", at("app=etcd&page=time&view=tree"), one);
  await shoot("serve-native", at("app=sqlite3"), one);
  await shoot("serve-group", at("app=prometheus&by=env&view=tree"), desktop);
  await shoot("serve-labels", at('app=prometheus&where=env%3D"prod"'), one);
  await shoot("serve-memory-none", at("app=zstd&page=memory"), all);
  await shoot("serve-range-none", `${url}/?app=zstd&until=1700000000000`, one);
  await shoot("serve-profile", at("app=prometheus"), desktop, (page) => page.keyboard.press("["));
  const select = async (page, from, to) => {
    const box = await page.locator(".u-over").boundingBox();
    await page.mouse.move(box.x + box.width * from, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * to, box.y + 40, { steps: 4 });
    await page.mouse.up();
    await sleep(1500);
  };
  await shoot("serve-selection", at("app=prometheus&view=tree"), one, (page) =>
    select(page, 0.8, 0.95),
  );
  await shoot("serve-compare", at("app=prometheus"), desktop, async (page) => {
    await select(page, 0.93, 0.99);
    await page.getByRole("button", { name: "compare with the time before" }).click();
    await page.getByText(/ before, .* after: /).waitFor();
  });
  await shoot("serve-trend", at("app=prometheus&view=tree"), desktop, async (page) => {
    await page.locator("tr[data-function]").nth(3).click({ button: "right" });
    await page.getByRole("menuitem", { name: "Trend" }).click();
    await sleep(1200);
  });
  await shoot("targets", at("page=targets"));
  const golden = join(root, "tests/golden/profiles/kern_cpu.pb.gz");
  await shoot("upload", at("app=zstd"), desktop, (page) =>
    page.locator("input[type=file]").setInputFiles(golden),
  );
}

async function suitePages(url, hash) {
  const at = (query) => `${url}/?page=suite&${query}#${hash}`;
  await shoot("suite-progress", at(""), all, async (page) => {
    const run = page.getByRole("button", { name: "Run profiling" });
    if (await run.isEnabled()) await run.click();
    await sleep(6000);
  });
  await shoot("suite-stopped", at(""), one, async (page) => {
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText(/^Stopped after/).waitFor({ timeout: 30_000 });
  });
  await shoot("suite-no-token", `${url}/?page=suite`, one);
  for (const tab of ["cpu", "memory", "time"]) await shoot(`suite-${tab}`, at(`tab=${tab}`));
  const { runs } = await (await fetch(`${url}/api/v1/runs?brief=1`)).json();
  const run = runs.find((r) => r.status === "passed" && r.program === "etcd" && r.kind === "cpu");
  if (!run) return;
  for (const show of ["flame", "diagram", "graph", "report"])
    await shoot(`run-${show}`, at(`run=${run.id}&show=${show}`));
}

/* ---- the whole ---- */

async function main() {
  mkdirSync(output, { recursive: true });
  browser = await chromium.launch({
    executablePath: chromiumPath,
    args: ["--no-sandbox", "--disable-gpu"],
  });
  await emptyPages();
  writeFileSync(
    join(dir, "prometheus.yml"),
    `global: {scrape_interval: 1s}
scrape_configs:
- job_name: self
  static_configs: [{targets: ["127.0.0.1:${TARGET}"]}]
`,
  );
  start(
    "prometheus",
    [
      "--config.file=prometheus.yml",
      "--storage.tsdb.path=data",
      `--web.listen-address=127.0.0.1:${TARGET}`,
    ],
    { cwd: dir, env: { ...env, DEBUG: "1" }, stdio: "ignore" },
  );
  writeFileSync(
    join(dir, "strobe.yaml"),
    `scrape_configs:
- job_name: prometheus
  scrape_interval: 6s
  scrape_timeout: 5s
  profiles: {cpu: {seconds: 3}}
  static_configs:
  - targets: ["127.0.0.1:${TARGET}"]
    labels: {env: prod, version: "2.42"}
- job_name: gateway
  scrape_interval: 10s
  static_configs: [{targets: ["127.0.0.1:19378"]}]
`,
  );
  const link = await listen(
    ["serve", "--listen", "127.0.0.1:0", "-c", join(dir, "strobe.yaml")],
    serveLine,
  );
  const [url, hash] = link.split("/#");
  const load = setInterval(() => {
    const query = "sum(rate(prometheus_http_request_duration_seconds_bucket[1m]))by(le)";
    const end = Math.floor(Date.now() / 1000);
    const q = new URLSearchParams({ query, start: end - 900, end, step: 1 });
    for (let i = 0; i < 6; i++)
      void fetch(`http://127.0.0.1:${TARGET}/api/v1/query_range?${q}`)
        .then((r) => r.text())
        .catch(() => undefined);
  }, 400);
  suite(url, "--kind", "cpu", "-n", wanted.length > 0 ? "2" : "7", "etcd", "sqlite3", "zstd");
  suite(url, "etcd", "prometheus");
  const kept = join(dir, "strobe/suite");
  const recorded = readdirSync(kept).find((d) => /sqlite3\.short\.cpu/.test(d));
  await profilePages(join(kept, recorded, "profile.pb.gz"));
  const two = readdirSync(kept).filter((d) => /sqlite3\.short\.cpu/.test(d));
  const [before, after] = two.map((d) => join(kept, d, "profile.pb.gz"));
  if (after) await diffPages(before, after);
  await chartPages(url, hash);
  await suitePages(url, hash);
  clearInterval(load);
}

try {
  await main();
} finally {
  await browser?.close();
  for (const child of children) child.kill("SIGTERM");
  await sleep(1500);
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
}
