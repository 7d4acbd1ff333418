// SPDX-License-Identifier: MIT
//
// The page's state. What a link must carry is in `route` and nowhere else: it is read from the URL,
// and every change goes through `navigate`, which writes the URL. The rest is what is under the
// pointer and what was loaded.

import { batch, computed, signal, type ReadonlySignal } from "@preact/signals";
import { findFunction, functionNameOf, type Profile } from "./data/profile.ts";
import { showWarnings } from "./data/warnings.ts";
import { fetchProfile, keptProfile, profileUrl, type Source, type Walk } from "./data/source.ts";
import { makeGraph, type Graph } from "./flame/graph.ts";
import { searchPattern } from "./flame/search.ts";
import { routeFromUrl, routeToQuery, routeToUrl, type Refinement, type Route } from "./route.ts";

export const route = signal<Route>(routeFromUrl(location.pathname, location.search));
export const source = signal<Source | undefined>(undefined);
export const failure = signal("");
export const loading = signal(true);
export const hovered = signal<{ p: Profile; node: number; count: number } | undefined>(undefined);
export const hoveredFunction = signal(-1); // the row under the pointer, or -1
export const helpOpen = signal(false);
/** Raised when the chosen box should be scrolled to and take the keyboard. */
export const reveal = signal(0);

export const query = computed(() => route.value.query);
export const pattern = computed(() => (query.value ? searchPattern(query.value) : undefined));
export const chosenFunction = computed(() => route.value.selected);

/** The merged tree, from the root or inverted; its functions are what Top shows. */
const loaded = signal<(Profile | undefined)[]>([]);

function loadedProfile(at: number): ReadonlySignal<Profile | undefined> {
  return computed(() => {
    const p = loaded.value[at];
    return route.value.relative && p?.asShares ? p.asShares() : p;
  });
}

export const profile = loadedProfile(0);
const callersProfile = loadedProfile(1);
const calleesProfile = loadedProfile(2);

/** What the colours of boxes depend on. It changes less often than the route. */
export const colouring = computed(() => {
  const { theme, colour, options } = route.value;
  return `${theme} ${colour} ${options.dropneg ?? ""}`;
});

const upwards = computed(() => route.value.upwards);
const always = computed(() => true);
const never = computed(() => false);

export const mainGraph = computed<Graph | undefined>(() =>
  profile.value ? makeGraph(profile.value, "zoom", upwards) : undefined,
);
export const callersGraph = computed<Graph | undefined>(() =>
  callersProfile.value ? makeGraph(callersProfile.value, "zoomCallers", always) : undefined,
);
export const calleesGraph = computed<Graph | undefined>(() =>
  calleesProfile.value ? makeGraph(calleesProfile.value, "zoomCallees", never) : undefined,
);

/** Which of the two graphs of callers and callees the keys are for. */
export const half = signal<"callers" | "callees">("callees");
export const activeGraph = computed<Graph | undefined>(() => {
  if (route.value.view !== "calls") return mainGraph.value;
  return half.value === "callers" ? callersGraph.value : calleesGraph.value;
});
export const matches = computed(() => mainGraph.value?.matches.value);

/**
 * Changes the route. "push" is for steps that Back should undo: zoom, view, sample type, the first
 * letter of a search; "replace" for the way there: walking, typing on.
 */
export function navigate(change: Partial<Route>, mode: "push" | "replace"): void {
  const next = { ...route.value, ...change };
  if (routeToQuery(next) === routeToQuery(route.value)) return;
  if (mode === "push") {
    writeUrl();
    putUrl(urlOf(next), "pushState");
  }
  route.value = next;
  if (mode === "replace") writeUrlSoon();
}

const WRITE_MS = 150;
let writtenAt = -WRITE_MS;
let writeTimer = 0;

function urlOf(r: Route): string {
  return routeToUrl(location.pathname, r);
}

/** A page that is a file may not be allowed an address of its own. */
function putUrl(url: string, how: "pushState" | "replaceState"): void {
  try {
    history[how](null, "", url);
  } catch {
    /* then links and Back do without */
  }
}

function writeUrl(): void {
  clearTimeout(writeTimer);
  writeTimer = 0;
  writtenAt = performance.now();
  const url = urlOf(route.peek());
  if (url !== `${location.pathname}${location.search}`) putUrl(url, "replaceState");
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

// ---- refinements ----

const noZoom = { zoom: "", zoomCallers: "", zoomCallees: "" };

export function addRefinement(refinement: Refinement, also: Partial<Route> = {}): void {
  const { refine } = route.value;
  const known = refine.some((r) => r.kind === refinement.kind && r.value === refinement.value);
  if (refinement.value === "" || known) return;
  navigate({ refine: [...refine, refinement], ...noZoom, ...also }, "push");
}

export function removeRefinement(refinement: Refinement): void {
  navigate({ refine: route.value.refine.filter((r) => r !== refinement), ...noZoom }, "push");
}

/** Shows callers and callees of a function; by default of the chosen one, else of the costliest. */
export function openCalls(name = "", mode: "push" | "replace" = "push"): void {
  const p = profile.value;
  if (!p) return;
  let pivot = name || chosenFunction.value || route.value.pivot;
  if (!pivot || findFunction(p, pivot) < 0) {
    let best = -1;
    for (let i = 0; i < p.functionFlat.length; i++)
      if (best < 0 || Math.abs(p.functionFlat[i]) > Math.abs(p.functionFlat[best])) best = i;
    pivot = best < 0 ? "" : functionNameOf(p, best);
  }
  half.value = "callees";
  navigate({ view: "calls", pivot, selected: pivot, at: "", ...noZoom }, mode);
}

export function invert(): void {
  navigate({ inverted: !route.value.inverted, zoom: "", at: "" }, "push");
}

export function applyTheme(): void {
  const { theme } = route.value;
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

// ---- loading ----

let asked = ""; // the addresses of what is shown, or on its way

function wanted(r: Route, s: Source): string[] {
  const walks: Walk[] = [r.inverted ? "leaf" : "root"];
  if (r.view === "calls" && r.pivot) walks.push("callers", "callees");
  return walks.map((walk) => profileUrl(s, r, walk));
}

function show(profiles: (Profile | undefined)[], urls: readonly string[]): void {
  batch(() => {
    showWarnings("profile", urls);
    loaded.value = profiles;
    hovered.value = undefined;
    hoveredFunction.value = -1; // it was a number of what was shown before
    failure.value = "";
    loading.value = false;
  });
}

/** Fetches what the route asks for, unless it is there. What was shown stays until then. */
export async function load(): Promise<void> {
  const from = source.value;
  if (!from) return;
  const urls = wanted(route.value, from);
  const key = urls.join("\n");
  if (key === asked) return;
  asked = key;
  const ready = urls.map(keptProfile);
  if (ready.every((p) => p)) {
    show(ready, urls);
    return;
  }
  loading.value = true;
  try {
    const profiles = await Promise.all(urls.map((url, i) => ready[i] ?? fetchProfile(url)));
    if (asked === key) show(profiles, urls);
  } catch (e) {
    if (asked !== key) return;
    asked = "";
    batch(() => {
      showWarnings("profile", urls);
      failure.value = e instanceof Error ? e.message : String(e);
      loading.value = false;
    });
  }
}

export function followHistory(): void {
  addEventListener("pagehide", writeUrl);
  addEventListener("popstate", () => {
    clearTimeout(writeTimer);
    writeTimer = 0;
    route.value = routeFromUrl(location.pathname, location.search);
  });
}
