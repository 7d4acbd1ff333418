// SPDX-License-Identifier: MIT
//
// node web.mjs STROBE NODES: makes a profile whose tree has about NODES boxes, opens it, and prints
// how long the first paint takes after the data and how long frames take while zooming, panning and
// searching. Nothing is built into the page for this. Frames are those of the browser's own
// tracing: the work of one is all that the page's main thread did since the one before, the time
// between frames is that between two which the compositor has shown.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { chromium } from "@playwright/test";
import { chromiumPath } from "../tests/web/chromium.mjs";

const [strobe, nodes] = [process.argv[2], Number(process.argv[3])];

// ---- the profile: a random tree with skewed branching, one sample for each leaf ----

function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function varint(out, value) {
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) | 128);
  out.push(value);
}

function message(...fields) {
  const out = [];
  for (const [tag, value] of fields) {
    if (typeof value === "number") {
      varint(out, tag * 8);
      varint(out, value);
    } else {
      varint(out, tag * 8 + 2);
      varint(out, value.length);
      for (const byte of value) out.push(byte);
    }
  }
  return out;
}

function makeProfile(wanted) {
  const next = random(1);
  const functions = 20000;
  const parts = [];
  const push = (tag, body) => parts.push(Buffer.from(message([tag, body])));
  push(1, message([1, 1], [2, 2]));
  let made = 1;
  let path = [];
  while (made < wanted) {
    const keep = Math.floor(path.length * next() ** 0.4);
    path = path.slice(0, keep);
    const grown = 1 + Math.floor(next() * 24);
    for (let i = 0; i < grown && path.length < 80; i++, made++)
      path.push(1 + Math.floor(next() ** 2 * functions));
    const stack = [];
    for (let i = path.length - 1; i >= 0; i--) varint(stack, path[i]);
    const value = [];
    varint(value, 10_000_000 * (1 + Math.floor(next() ** 8 * 50)));
    push(2, message([1, stack], [2, value]));
  }
  const modules = [
    "app",
    "libstore.so.1",
    "libnet.so.2",
    "libc.so.6",
    "libcrypto.so.3",
    "[kernel]",
  ];
  modules.forEach((_, i) => push(3, message([1, i + 1], [5, 3 + functions + i])));
  for (let i = 1; i <= functions; i++)
    push(4, message([1, i], [2, 1 + (i % modules.length)], [4, message([1, i])]));
  for (let i = 1; i <= functions; i++) push(5, message([1, i], [2, 2 + i]));
  const names = Array.from({ length: functions }, (_, i) => `subsystem${i % 37}_operation${i}`);
  for (const s of ["", "cpu", "nanoseconds", ...names, ...modules]) push(6, Buffer.from(s));
  return gzipSync(Buffer.concat(parts), { level: 1 });
}

// ---- the measurement ----

function watch() {
  const raf = window.requestAnimationFrame.bind(window);
  const seen = { drawn: 0 };
  window.bench = seen;
  window.requestAnimationFrame = (callback) =>
    raf((now) => {
      callback(now);
      if (!seen.drawn && document.querySelector("[data-drawn]")) seen.drawn = performance.now();
    });
}

const sorted = (list) => list.sort((a, b) => a - b);

/** What the trace's events say of frames: work in each, and times between those shown, in ms. */
function framesOf(events) {
  const named = (name) => events.filter((e) => e.name === name).sort((a, b) => a.ts - b.ts);
  const ends = named("BeginCommitCompositorFrame"); // on the page's main thread: a frame is made
  const { pid, tid } = ends[0];
  const tasks = named("RunTask").filter((e) => e.dur && e.pid === pid && e.tid === tid);
  const work = [];
  for (let i = 1, next = 0; i < ends.length; i++) {
    let sum = 0;
    for (; next < tasks.length && tasks[next].ts < ends[i].ts; next++)
      if (tasks[next].ts >= ends[0].ts) sum += tasks[next].dur;
    work.push(sum / 1000);
  }
  const shown = named("AnimationFrame::Presentation").map((e) => e.ts / 1000);
  const gaps = shown.slice(1).map((t, i) => t - shown[i]);
  return { work: sorted(work), gaps: sorted(gaps) };
}

/** Does `act` under the browser's tracing. */
async function traced(browser, page, act) {
  await browser.startTracing(page, {
    categories: ["devtools.timeline", "disabled-by-default-devtools.timeline"],
  });
  await act();
  return framesOf(JSON.parse(await browser.stopTracing()).traceEvents);
}

/** Moves the wheel once a frame. */
async function glide(page, frames, options) {
  return page.evaluate(
    ([count, init]) =>
      new Promise((resolve) => {
        const area = document.querySelector(".flame-area");
        const box = area.getBoundingClientRect();
        let done = 0;
        function step() {
          if (done === count) {
            resolve();
            return;
          }
          const there = init.oneWay || done < count / 2;
          const event = { ...init, clientX: box.left + box.width * 0.3, clientY: 200 };
          for (const axis of ["deltaX", "deltaY"])
            event[axis] = (init[axis] ?? 0) * (there ? 1 : -1);
          area.dispatchEvent(
            new WheelEvent("wheel", { ...event, bubbles: true, cancelable: true }),
          );
          done++;
          requestAnimationFrame(step);
        }
        requestAnimationFrame(step);
      }),
    [frames, options],
  );
}

const at = (list, part) => list[Math.min(list.length - 1, Math.floor(list.length * part))];

function report(name, { gaps, work }) {
  const ms = (v) => v.toFixed(1).padStart(7);
  const line = [at(work, 0.5), at(work, 0.95), at(gaps, 0.5), at(gaps, 0.95)].map(ms).join(" ");
  console.log(`${name.padEnd(28)}${line}`);
}

async function main() {
  const dir = mkdtempSync(join(tmpdir(), "strobe-bench-"));
  const file = join(dir, "million.pb.gz");
  writeFileSync(file, makeProfile(nodes));
  const server = spawn(strobe, ["web", "-no_browser", file]);
  const url = await new Promise((resolve) =>
    server.stderr.on("data", (d) => {
      const found = /(http:\S+)/.exec(d.toString());
      if (found) resolve(found[1]);
    }),
  );
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
  });
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.addInitScript(watch);
  await page.goto(url);
  await page.waitForFunction(() => window.bench.drawn > 0, undefined, { timeout: 120_000 });
  const first = await page.evaluate(() => {
    const data = performance.getEntriesByType("resource").find((e) => e.name.includes("/api/"));
    return {
      size: data.decodedBodySize,
      wait: data.responseEnd - data.startTime,
      paint: window.bench.drawn - data.responseEnd,
    };
  });
  console.log(
    `data: ${(first.size / 1e6).toFixed(1)} MB, ${first.wait.toFixed(0)} ms until it is there`,
  );
  console.log(`first paint after data: ${first.paint.toFixed(0)} ms`);
  console.log("\n                          work/frame ms      between frames ms");
  console.log("                               p50     p95     p50     p95");
  const zoom = () => glide(page, 120, { deltaY: -12, ctrlKey: true });
  report("zoom by the wheel", await traced(browser, page, zoom));
  await page.keyboard.press("0");
  await glide(page, 30, { deltaY: -12, ctrlKey: true, oneWay: true });
  report("pan", await traced(browser, page, () => glide(page, 120, { deltaX: 14 })));
  await page.keyboard.press("0");
  await page.waitForTimeout(300);
  const typed = await page.evaluate(async () => {
    const field = document.getElementById("search");
    const times = [];
    for (const text of ["o", "op", "operation1", "operation12", "operation123"]) {
      const start = performance.now();
      field.value = text;
      field.dispatchEvent(new InputEvent("input", { bubbles: true }));
      await new Promise((r) => requestAnimationFrame(() => setTimeout(r)));
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b);
  });
  const [median, most] = [at(typed, 0.5), typed[typed.length - 1]].map((t) => t.toFixed(0));
  console.log(`\nsearch, a letter to the next frame: ${median} ms (at most ${most})`);
  await browser.close();
  server.kill("SIGINT");
  rmSync(dir, { recursive: true });
}

await main();
