// SPDX-License-Identifier: MIT
//
// What the dashboard has loaded, and when it loads it again. While the range ends now, everything
// is
// asked for anew every few seconds; an answer that is out of date by then is dropped.

import { batch, computed, effect, signal } from "@preact/signals";
import { route, source } from "../state.ts";
import {
  ask,
  type Run,
  type Series,
  type StoredProfile,
  type Target,
  type Timeline,
} from "./api.ts";
import { makeQuery, pageOf, readPlace, windowOf, type Page, type Window } from "./place.ts";

const REFRESH_MS = 5000;

export const place = computed(() => readPlace(route.value.context));
export const now = signal(Date.now());
export const series = signal<Series[] | undefined>(undefined);
export const timeline = signal<Timeline | undefined>(undefined);
export const profiles = signal<StoredProfile[]>([]);
export const moreProfiles = signal(false);
export const targets = signal<Target[] | undefined>(undefined);
export const runs = signal<Run[] | undefined>(undefined);
export const trouble = signal("");

/** Names of the applications, those seen last first. */
export const apps = computed(() => {
  const last = new Map<string, number>();
  for (const s of series.value ?? [])
    last.set(s.service_name, Math.max(last.get(s.service_name) ?? 0, s.last_ms));
  return [...last].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
});
export const app = computed(() => place.value.app || (apps.value[0] ?? ""));

export function kindsOf(page: Page): string[] {
  const kinds = (series.value ?? [])
    .filter((s) => s.service_name === app.value && pageOf(s.kind) === page)
    .map((s) => s.kind);
  return [...new Set(kinds)];
}

export const kind = computed(() => {
  const kinds = kindsOf(place.value.page);
  return kinds.find((k) => k === place.value.kind) ?? kinds[0] ?? "";
});
export const shown = computed(() =>
  (series.value ?? []).filter((s) => s.service_name === app.value && s.kind === kind.value),
);
/** When the last profile of what is shown came in; 0 if none did. */
export const newest = computed(() => Math.max(0, ...shown.value.map((s) => s.last_ms)));
export const defaultType = computed(() => {
  const s = shown.value[0];
  return s?.types[s.default_type]?.type;
});
export const query = computed(() =>
  kind.value ? makeQuery(kind.value, route.value.sampleType, app.value) : "",
);
export const wide = computed<Window>(() => windowOf(place.value, now.value));
/** What the profile view shows: the selection, else the whole range. */
export const inner = computed<Window>(() => place.value.selection ?? wide.value);

let turn = 0;

async function refresh(): Promise<void> {
  const mine = ++turn;
  const { page, by } = place.peek();
  try {
    if (page === "targets") {
      const t = await ask<{ targets: Target[] }>("targets");
      if (mine === turn) batch(() => ((targets.value = t.targets), (trouble.value = "")));
    }
    if (page === "suite") {
      const r = await ask<{ runs: Run[] }>("runs");
      if (mine === turn) batch(() => ((runs.value = r.runs), (trouble.value = "")));
    }
    const s = await ask<{ series: Series[] }>("series");
    if (mine !== turn) return;
    const same = JSON.stringify(s.series) === JSON.stringify(series.peek());
    if (!same) series.value = s.series;
    if (page !== "targets" && page !== "suite" && query.peek()) await refreshChart(mine, by);
    if (mine === turn) trouble.value = "";
  } catch (e) {
    if (mine === turn) trouble.value = e instanceof Error ? e.message : String(e);
  }
}

const BUCKETS = 240;

/** Buckets wide enough that profiles which come regularly leave no holes between them. */
export function stepMs(range: Window, list: StoredProfile[], lines: number): number {
  const least = (range.until - range.from) / BUCKETS;
  if (list.length < 2) return least;
  const times = list.map((p) => p.time_ms);
  const span = Math.max(...times) - Math.min(...times);
  return Math.max(least, (1.6 * span * Math.max(1, lines)) / list.length);
}

let sourceKey = "";

async function refreshChart(mine: number, by: string): Promise<void> {
  const { from, until } = wide.peek();
  const range = { query: query.peek(), from: String(from), until: String(until) };
  type List = { profiles: StoredProfile[]; more: boolean };
  const list = await ask<List>("profiles", range);
  const step = stepMs({ from, until }, list.profiles, shown.peek().length);
  const line = await ask<Timeline>("timeline", {
    ...range,
    step: `${Math.ceil(step / 1000)}s`,
    ...(by ? { group_by: by } : { total: "1" }),
  });
  if (mine !== turn) return;
  batch(() => {
    timeline.value = line;
    profiles.value = list.profiles;
    moreProfiles.value = list.more;
    chooseSource();
  });
}

/** The profile view's source: the same as long as nothing has come in or was asked for. */
function chooseSource(): void {
  const { from, until } = inner.peek();
  const inside = profiles.peek().filter((p) => p.time_ms >= from && p.time_ms < until);
  const key = [JSON.stringify(place.peek()), query.peek(), ...inside.map((p) => p.id)].join(" ");
  if (key === sourceKey) return;
  sourceKey = key;
  if (inside.length === 0) {
    source.value = undefined;
    return;
  }
  source.value = {
    path: "/api/v1/profile",
    params: [
      ["query", query.peek()],
      ["from", String(from)],
      ["until", String(until)],
      ["format", "columns"],
    ],
  };
}

export function start(): void {
  effect(() => {
    [place.value, query.value];
    void refresh();
  });
  setInterval(() => {
    if (document.hidden) return;
    if (place.peek().until === undefined && !place.peek().selection) now.value = Date.now();
    void refresh();
  }, REFRESH_MS);
}
