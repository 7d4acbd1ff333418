// SPDX-License-Identifier: MIT
//
// What the dashboard has loaded, and when it loads it again. While the range ends now, all of it is
// asked for anew every few seconds; an answer that is out of date by then is dropped.

import { batch, computed, effect, signal } from "@preact/signals";
import { storedSource } from "../data/source.ts";
import { route, source } from "../state.ts";
import {
  ask,
  sentence,
  type ProfileList,
  type Series,
  type Target,
  type Timeline,
  type TrendPoints,
} from "./api.ts";
import { fits, makeQuery } from "./matches.ts";
import {
  pageOf,
  readPlace,
  sortKinds,
  windowOf,
  type Page,
  type Place,
  type Window,
} from "./place.ts";

const REFRESH_MS = 5000;

/* Of equal content the same object, so that what only the profile view changes loads nothing. */
let lastPlace: { text: string; place: Place } | undefined;
export const place = computed(() => {
  const text = JSON.stringify(route.value.context);
  if (lastPlace?.text !== text) lastPlace = { text, place: readPlace(route.value.context) };
  return lastPlace.place;
});
export const now = signal(Date.now());
export const series = signal<Series[] | undefined>(undefined);
export const timeline = signal<Timeline | undefined>(undefined);
/** The newest profiles of what the profile view shows. */
export const inside = signal<ProfileList | undefined>(undefined);
export const targets = signal<Target[] | undefined>(undefined);
export const trouble = signal("");

/** Names of the applications, those seen last first. */
export const apps = computed(() => {
  const last = new Map<string, number>();
  for (const s of series.value ?? [])
    last.set(s.service_name, Math.max(last.get(s.service_name) ?? 0, s.last_ms));
  return [...last].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
});
export const app = computed(() => place.value.app || (apps.value[0] ?? ""));
export const appSeries = computed(() =>
  (series.value ?? []).filter((s) => s.service_name === app.value),
);

export function kindsOf(page: Page): string[] {
  return sortKinds(appSeries.value.map((s) => s.kind).filter((k) => pageOf(k) === page));
}

export const kind = computed(() => {
  const kinds = kindsOf(place.value.page);
  return kinds.find((k) => k === place.value.kind) ?? kinds[0] ?? "";
});
export const shown = computed(() =>
  appSeries.value.filter((s) => s.kind === kind.value && fits(s.labels, place.value.where)),
);
/** When the last profile of what is shown came in; 0 if none did. */
export const newest = computed(() => Math.max(0, ...shown.value.map((s) => s.last_ms)));
export const defaultType = computed(() => {
  const s = shown.value[0];
  return s?.types[s.default_type]?.type;
});
export const query = computed(() =>
  kind.value ? makeQuery(kind.value, route.value.sampleType, app.value, place.value.where) : "",
);
export const wide = computed<Window>(() => windowOf(place.value, now.value));
/** What the profile view shows: the selection, else the whole range. */
export const inner = computed<Window>(() => place.value.selection ?? wide.value);
/** What that is compared with, if anything. */
export const versus = computed<Window | undefined>(() => {
  const { versus: asked } = place.value;
  if (asked !== "before") return asked;
  const { from, until } = inner.value;
  return { from: until - from <= 1 ? wide.value.from : 2 * from - until, until: from };
});
export const charted = computed(() => ["cpu", "memory", "time"].includes(place.value.page));

let turn = 0;

async function refresh(): Promise<void> {
  const mine = ++turn;
  try {
    if (place.peek().page === "targets") {
      const t = await ask<{ targets: Target[] }>("targets");
      if (mine === turn) targets.value = t.targets;
    }
    const s = await ask<{ series: Series[] }>("series");
    if (mine !== turn) return;
    const same = JSON.stringify(s.series) === JSON.stringify(series.peek());
    if (!same) series.value = s.series;
    if (charted.peek() && query.peek()) await refreshChart(mine);
    if (mine === turn) trouble.value = "";
  } catch (e) {
    if (mine === turn) trouble.value = sentence(e);
  }
}

const BUCKETS = 240;
const SAMPLE = 60; // profiles that are looked at to see how often they come

/** Buckets wide enough that profiles which come regularly leave no holes between them. */
export function stepMs(range: Window, times: readonly number[], lines: number): number {
  const least = (range.until - range.from) / BUCKETS;
  if (times.length < 2) return least;
  const span = Math.max(...times) - Math.min(...times);
  return Math.max(least, (1.6 * span * Math.max(1, lines)) / times.length);
}

function rangeParams({ from, until }: Window): Record<string, string> {
  return { query: query.peek(), from: String(Math.floor(from)), until: String(Math.ceil(until)) };
}

/** The newest profiles of a window, at most `limit`. */
export function listProfiles(w: Window, limit: number): Promise<ProfileList> {
  return ask<ProfileList>("profiles", { ...rangeParams(w), limit: String(limit) });
}

/** Shares of one function, in the chart's own terms. */
async function trendLines(range: Window, step: string, name: string): Promise<Timeline> {
  const t = await ask<TrendPoints>("trend", { ...rangeParams(range), step, function: name });
  const of = (pick: (p: TrendPoints["points"][0]) => number) =>
    t.points.map((p) => (p.total === 0 ? null : (pick(p) / p.total) * 100));
  const line = (label: string, values: (number | null)[]) => ({
    name: label,
    values,
    profiles: values.map((v) => (v === null ? 0 : 1)),
    duration_ms: values.map(() => 0),
  });
  return {
    unit: "%",
    mode: "level",
    from_ms: t.points[0]?.time_ms ?? range.from,
    step_ms: t.points.length > 1 ? t.points[1].time_ms - t.points[0].time_ms : 1,
    buckets: t.points.length,
    lines: [
      line(
        "with what it calls",
        of((p) => p.cum),
      ),
      line(
        "itself",
        of((p) => p.flat),
      ),
    ],
  };
}

async function refreshChart(mine: number): Promise<void> {
  const range = wide.peek();
  const { by, trend, selection } = place.peek();
  const recent = await listProfiles(range, SAMPLE);
  const times = recent.profiles.map((p) => p.time_ms);
  const step = `${Math.ceil(stepMs(range, times, shown.peek().length) / 1000)}s`;
  const [line, list] = await Promise.all([
    trend
      ? trendLines(range, step, trend)
      : ask<Timeline>("timeline", {
          ...rangeParams(range),
          step,
          ...(by ? { group_by: by } : { total: "1" }),
        }),
    selection ? listProfiles(selection, SAMPLE) : recent,
  ]);
  if (mine !== turn) return;
  batch(() => {
    timeline.value = line;
    inside.value = list;
    chooseSource();
  });
}

/** The range to compare with, as the API takes it. */
export function baseParams(): [string, string][] {
  const w = versus.peek();
  if (!w) return [];
  return [
    ["base_from", String(Math.floor(w.from))],
    ["base_until", String(Math.ceil(w.until))],
  ];
}

let sourceKey = "";

/** The profile view's source: the same as long as nothing has come in or was asked for. */
function chooseSource(): void {
  const window = inner.peek();
  const list = inside.peek()?.profiles ?? [];
  const { page, kind: k, app: a, range, until, selection, where, versus: vs } = place.peek();
  const asked = JSON.stringify([page, k, a, range, until, selection, where, vs, query.peek()]);
  const key = [asked, ...list.map((p) => p.id)].join(" ");
  if (key === sourceKey) return;
  sourceKey = key;
  source.value =
    list.length === 0
      ? undefined
      : storedSource([...Object.entries(rangeParams(window)), ...baseParams()]);
}

export function start(): void {
  let page = "";
  effect(() => {
    [place.value, query.value];
    if (place.value.page !== page && charted.value) sourceKey = "";
    page = place.value.page;
    void refresh();
  });
  setInterval(() => {
    if (document.hidden) return;
    if (place.peek().until === undefined && !place.peek().selection) now.value = Date.now();
    void refresh();
  }, REFRESH_MS);
}
