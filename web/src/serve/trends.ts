// SPDX-License-Identifier: MIT
//
// Functions over time: for the tree's rows in view, and which of the largest have changed. What is
// compared is what the profile view shows with as long before it; one profile with the last thirty
// before it; and where nothing is older than the range, its later half with its earlier one.

import { batch, computed, effect, signal } from "@preact/signals";
import { route, source } from "../state.ts";
import { trendSource } from "../tree/trend.ts";
import { ask, type Top } from "./api.ts";
import { makeTrend, significant, type Trend } from "../data/change.ts";
import { compareOne, compareRange, EARLIER, type Comparison } from "./compare.ts";
import { go } from "./go.ts";
import { charted, inner, listProfiles, query, shown } from "./live.ts";
import { spellSpan } from "./times.ts";

const LEAST_SHARE = 0.002; // of the total: smaller changes are not worth a word

export const comparison = signal<Comparison | undefined>(undefined);
const known = signal<ReadonlyMap<string, Trend>>(new Map());
export const changed = signal<{ name: string; trend: Trend }[] | undefined>(undefined);
const against = computed(() => {
  const c = comparison.value;
  return c ? spellSpan(c.from, c.from + c.split * c.step) : "";
});
export { against };

async function choose(): Promise<Comparison> {
  const w = { from: Math.floor(inner.peek().from), until: Math.ceil(inner.peek().until) };
  if (w.until - w.from > 1)
    return compareRange(w, Math.min(...shown.peek().map((s) => s.first_ms), Infinity));
  const { profiles } = await listProfiles({ from: 0, until: w.from }, EARLIER);
  return compareOne(
    w,
    profiles.map((p) => p.time_ms),
  );
}

function askTop(c: Comparison, more: [string, string][]): Promise<Top> {
  return ask<Top>("top", [
    ["query", query.peek()],
    ["from", String(c.from)],
    ["until", String(c.until)],
    ["step", `${c.step}ms`],
    ...more,
  ]);
}

/* ---- rows in view ---- */

const waiting = new Set<string>();
const fresh = new Set<string>(); // those of the comparison at hand: older ones stay until then
let timer = 0;
const WAIT_MS = 40;
const AT_ONCE = 150;
const ADDRESS = 6000; // bytes of names in one request

/** As many names as fit into one address; they leave the list. */
function takeNames(): string[] {
  const names: string[] = [];
  let size = 0;
  for (const name of waiting) {
    size += encodeURIComponent(name).length + 10;
    if (names.length > 0 && (size > ADDRESS || names.length === AT_ONCE)) break;
    names.push(name);
    waiting.delete(name);
  }
  return names;
}

async function fetchWanted(): Promise<void> {
  timer = 0;
  const c = comparison.peek();
  if (!c) return;
  while (waiting.size > 0) {
    const names = takeNames();
    try {
      const top = await askTop(
        c,
        names.map((n) => ["function", n]),
      );
      if (comparison.peek() !== c) return;
      const next = new Map(known.peek());
      for (const f of top.functions) next.set(f.name, makeTrend(f.cum_values, top.totals, c.split));
      for (const name of names) fresh.add(name);
      known.value = next;
    } catch {
      return; /* the chart's own request says what is wrong */
    }
  }
}

let rows: readonly string[] = [];

function want(names: readonly string[]): void {
  rows = names;
  for (const name of names) if (!fresh.has(name)) waiting.add(name);
  if (waiting.size > 0 && !timer) timer = window.setTimeout(() => void fetchWanted(), WAIT_MS);
}

/* ---- what changed ---- */

async function findChanged(c: Comparison): Promise<void> {
  const top = await askTop(c, [["limit", "100"]]);
  if (comparison.peek() !== c) return;
  const list = top.functions
    .map((f) => ({ name: f.name, trend: makeTrend(f.flat_values, top.totals, c.split) }))
    .filter(({ trend: t }) => Math.max(t.before, t.after) >= LEAST_SHARE);
  const sure = significant(list.map(({ trend }) => trend.p));
  const size = ({ trend: t }: { trend: Trend }): number => Math.abs(t.after - t.before);
  changed.value = list
    .filter((one, i) => sure[i] && size(one) >= LEAST_SHARE)
    .sort((a, b) => size(b) - size(a));
}

let turn = 0;
let asked = "";

async function compare(): Promise<void> {
  const mine = ++turn;
  try {
    const c = await choose();
    if (mine !== turn) return;
    batch(() => {
      comparison.value = c;
      if (asked !== query.peek()) known.value = new Map();
    });
    asked = query.peek();
    fresh.clear();
    waiting.clear();
    want(rows);
    await findChanged(c);
  } catch {
    if (mine === turn) changed.value = undefined;
  }
}

export function startTrends(): void {
  effect(() => {
    const on = charted.value && source.value !== undefined;
    trendSource.value = on
      ? { against, known, want, open: (name) => go({ trend: name }) }
      : undefined;
    if (!on) return;
    route.value.sampleType;
    void compare();
  });
}
