// SPDX-License-Identifier: MIT
//
// The page's state. What a link must carry is in `route` and nowhere else: it is read from the URL,
// and every change goes through `navigate`, which writes the URL. The rest is what is under the
// pointer and what was loaded.

import { batch, computed, signal } from "@preact/signals";
import { findFunction, makeProfile, type Profile } from "./data/profile.ts";
import { readBody } from "./data/columns.ts";
import { findPlace, readZoom } from "./flame/place.ts";
import { findMatches, searchPattern } from "./flame/search.ts";
import { routeFromQuery, routeToQuery, type Route } from "./route.ts";

export const route = signal<Route>(routeFromQuery(location.search));
export const profile = signal<Profile | undefined>(undefined);
export const failure = signal("");
export const loading = signal(true);
export const hovered = signal<{ node: number; count: number } | undefined>(undefined);
export const hoveredFunction = signal(-1); // the row under the pointer, or -1
export const helpOpen = signal(false);
/** Raised when the chosen box should be scrolled to and take the keyboard. */
export const reveal = signal(0);

export const query = computed(() => route.value.query);
const zoomText = computed(() => route.value.zoom);
const atText = computed(() => route.value.at);

export const pattern = computed(() => (query.value ? searchPattern(query.value) : undefined));
export const matches = computed(() =>
  profile.value && pattern.value ? findMatches(profile.value, pattern.value) : undefined,
);
export const zoom = computed(() =>
  profile.value ? readZoom(profile.value, zoomText.value) : { node: 0, span: { from: 0, to: 1 } },
);
/** The box the keyboard is at; the root where the URL names none, or one that is not there. */
export const chosenNode = computed(() =>
  profile.value ? Math.max(0, findPlace(profile.value, atText.value)) : 0,
);
export const chosenFunction = computed(() => route.value.selected);
/** Its index in the profile, or -1. */
export const chosenIndex = computed(() =>
  profile.value && chosenFunction.value ? findFunction(profile.value, chosenFunction.value) : -1,
);

/**
 * Changes the route. "push" is for steps that Back should undo: zoom, view, sample type, the first
 * letter of a search; "replace" for the way there: walking, typing on.
 */
export function navigate(change: Partial<Route>, mode: "push" | "replace"): void {
  const next = { ...route.value, ...change };
  if (routeToQuery(next) === routeToQuery(route.value)) return;
  if (mode === "push") {
    writeUrl();
    history.pushState(null, "", urlOf(next));
  }
  route.value = next;
  if (mode === "replace") writeUrlSoon();
}

const WRITE_MS = 150;
let writtenAt = -WRITE_MS;
let writeTimer = 0;

function urlOf(r: Route): string {
  return `${location.pathname}${routeToQuery(r)}`;
}

function writeUrl(): void {
  clearTimeout(writeTimer);
  writeTimer = 0;
  writtenAt = performance.now();
  const url = urlOf(route.peek());
  if (url !== `${location.pathname}${location.search}`) history.replaceState(null, "", url);
}

/** At once, but not at every turn of a wheel: browsers refuse more than a few changes a second. */
function writeUrlSoon(): void {
  const due = writtenAt + WRITE_MS - performance.now();
  if (due <= 0) writeUrl();
  else if (!writeTimer) writeTimer = window.setTimeout(writeUrl, due);
}

export function search(text: string): void {
  navigate({ query: text }, query.value === "" || text === "" ? "push" : "replace");
}

export function applyTheme(): void {
  const { theme } = route.value;
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

let loadedType: string | undefined;

/** Fetches the profile of the route's sample type, unless it is the one that is there. */
export async function load(): Promise<void> {
  const asked = route.value.sampleType;
  if (asked === loadedType && profile.value) return;
  loadedType = asked;
  loading.value = true;
  try {
    const answer = await fetch(`/api/profile${asked ? `?si=${encodeURIComponent(asked)}` : ""}`);
    if (!answer.ok) throw new Error(((await answer.json()) as { error: string }).error);
    const next = makeProfile(readBody(await answer.arrayBuffer()));
    if (asked !== loadedType) return;
    batch(() => {
      profile.value = next;
      hovered.value = undefined;
      failure.value = "";
      loading.value = false;
    });
  } catch (e) {
    if (asked !== loadedType) return;
    loadedType = undefined;
    const why = e instanceof TypeError ? "strobe no longer answers: is it still running?" : "";
    batch(() => {
      failure.value = why || (e instanceof Error ? e.message : String(e));
      loading.value = false;
    });
  }
}

export function followHistory(): void {
  addEventListener("pagehide", writeUrl);
  addEventListener("popstate", () => {
    clearTimeout(writeTimer);
    writeTimer = 0;
    route.value = routeFromQuery(location.search);
  });
}
