// SPDX-License-Identifier: MIT
//
// What the URL says, and how. Defaults are left out, so that the plain address is the plain page.
// The names of the sample type and of the refinements are pprof's.

export const viewNames = [
  "flame",
  "tree",
  "top",
  "calls",
  "graph",
  "source",
  "peek",
  "disasm",
] as const;
export type View = (typeof viewNames)[number];

/** Views of the tree's boxes, and not of functions. */
export const boxViews: readonly View[] = ["flame", "tree", "calls"];
export type SortKey = "flat" | "cum" | "name";
export type Theme = "" | "light" | "dark";
export type ColourMode = "module" | "self" | "file";

/** The parameters of refinements, and what they are called: the flags of `strobe top`. */
export const refinementNames = {
  f: "focus",
  i: "ignore",
  h: "hide",
  s: "show",
  sf: "show from",
  tf: "label",
  ti: "label not",
} as const;

export type RefinementKind = keyof typeof refinementNames;

export interface Refinement {
  kind: RefinementKind;
  value: string; // a regular expression; of tf and ti "key=expression"
}

/**
 * Further settings of pprof's, by the names that its addresses have for them, and in its texts: "t"
 * and "f" for switches. What is left out is as the command line said. They go to the server as they
 * stand; the page itself reads few of them.
 */
export const optionNames = [
  "n",
  "nf",
  "ef",
  "trim",
  "calltree",
  "g",
  "noinlines",
  "showcolumns",
  "rel",
  "unit",
  "compact",
  "intel",
  "mean",
  "norm",
  "dropneg",
  "prunefrom",
  "ts",
  "th",
  "tagroot",
  "tagleaf",
] as const;
export type OptionName = (typeof optionNames)[number];
/** Of a switch, as pprof reads it. */
export function isOn(value: string): boolean {
  return /^(t|true|y|yes|1)$/i.test(value);
}

export type Options = Partial<Record<OptionName, string>>;

/** What the dashboard adds: where and when (serve/place.ts reads it). */
export const contextNames = [
  "page",
  "app",
  "kind",
  "range",
  "until",
  "span",
  "vs",
  "by",
  "where",
  "trend",
  "tab",
  "run",
  "show",
] as const;
export type Context = Partial<Record<(typeof contextNames)[number], string>>;

export interface Route {
  context: Context;
  view: View;
  sampleType: string; // "" is the profile's default
  refine: readonly Refinement[];
  options: Options;
  inverted: boolean;
  upwards: boolean; // the root at the bottom
  colour: ColourMode;
  query: string;
  zoom: string; // see flame/place.ts
  pivot: string; // function whose callers and callees are shown
  zoomCallers: string;
  zoomCallees: string;
  at: string; // place of the chosen box
  selected: string; // name of the chosen function
  assembly: boolean; // shown between the lines of the source
  relative: boolean; // a difference of shares, not of values
  sort: SortKey;
  reversed: boolean; // against the column's natural order
  theme: Theme;
}

function oneOf<T extends string>(value: string | null, allowed: readonly T[], fallback: T): T {
  return allowed.find((a) => a === value) ?? fallback;
}

function isRefinement(name: string): name is RefinementKind {
  return Object.hasOwn(refinementNames, name);
}

export function routeFromQuery(query: string): Route {
  const q = new URLSearchParams(query);
  const text = (name: string): string => q.get(name) ?? "";
  const refine: Refinement[] = [];
  for (const [kind, value] of q) if (isRefinement(kind) && value) refine.push({ kind, value });
  const options: Options = {};
  for (const name of optionNames) if (q.get(name)) options[name] = text(name);
  const context: Context = {};
  for (const name of contextNames) if (q.get(name)) context[name] = text(name);
  return {
    context,
    view: oneOf(q.get("view"), viewNames, "flame"),
    sampleType: text("si"),
    refine,
    options,
    inverted: q.get("inv") === "1",
    upwards: q.get("up") === "1",
    colour: oneOf(q.get("col"), ["module", "self", "file"], "module"),
    query: text("q"),
    zoom: text("zoom"),
    pivot: text("fn"),
    zoomCallers: text("zu"),
    zoomCallees: text("zd"),
    at: text("at"),
    selected: text("sel"),
    assembly: q.get("asm") === "1",
    relative: q.get("drel") === "1",
    sort: oneOf(q.get("sort"), ["flat", "cum", "name"], "flat"),
    reversed: q.get("rev") === "1",
    theme: oneOf<Theme>(q.get("theme"), ["light", "dark"], ""),
  };
}

export function routeToParams(r: Route): URLSearchParams {
  const q = new URLSearchParams();
  const put = (name: string, value: string, fallback = ""): void => {
    if (value !== fallback) q.set(name, value);
  };
  for (const name of contextNames) put(name, r.context[name] ?? "");
  put("view", r.view, "flame");
  put("si", r.sampleType);
  for (const { kind, value } of r.refine) q.append(kind, value);
  for (const name of optionNames) put(name, r.options[name] ?? "");
  put("inv", r.inverted ? "1" : "");
  put("up", r.upwards ? "1" : "");
  put("col", r.colour, "module");
  put("q", r.query);
  put("zoom", r.zoom);
  put("fn", r.pivot);
  put("zu", r.zoomCallers);
  put("zd", r.zoomCallees);
  put("at", r.at);
  put("sel", r.selected);
  put("asm", r.assembly ? "1" : "");
  put("drel", r.relative ? "1" : "");
  put("sort", r.sort, "flat");
  put("rev", r.reversed ? "1" : "");
  put("theme", r.theme);
  return q;
}

// ---- pprof's addresses ----

/** The views that have an address of their own under /ui/, as pprof has it; others are `view=`. */
const uiPrefix = "/ui/";
const viewPaths: Partial<Record<View, string>> = {
  flame: "flamegraph",
  top: "top",
  graph: "graph",
  peek: "peek",
  source: "source",
  disasm: "disasm",
};

/** The name in a pivot that pprof's page made of one, by a click on a box. */
function pivotName(pivot: string): string | undefined {
  if (!pivot.startsWith("^") || !pivot.endsWith("$")) return undefined;
  const name = pivot.slice(1, -1).replace(/\\(\W)/g, "\0$1");
  const plain = name.replace(/\0./g, "");
  return /[\\^$.*+?()[\]{}|]/.test(plain) ? undefined : name.replace(/\0/g, "");
}

/** Reads a whole address: the view is in the path where it is pprof's. */
export function routeFromUrl(path: string, query: string): Route {
  const r = routeFromQuery(query);
  const q = new URLSearchParams(query);
  if (!path.startsWith(uiPrefix) || q.has("view")) return r;
  const name = path.slice(uiPrefix.length);
  r.view = viewNames.find((view) => viewPaths[view] === name) ?? "flame";
  const pivot = q.get("p"); // of pprof's flame graph: a function in the middle
  if (r.view !== "flame" || !pivot) return r;
  const of = pivotName(pivot);
  if (of) return { ...r, view: "calls", pivot: of, selected: of };
  return { ...r, query: r.query || pivot };
}

/** The address of a route, seen from the page at `path`. */
export function routeToUrl(path: string, r: Route): string {
  if (!path.startsWith(uiPrefix)) return `${path}${routeToQuery(r)}`;
  const own = viewPaths[r.view];
  const q = routeToParams(r);
  if (own) q.delete("view");
  const text = q.toString();
  return `${uiPrefix}${own ?? "flamegraph"}${text ? `?${text}` : ""}`;
}

export function routeToQuery(r: Route): string {
  const text = routeToParams(r).toString();
  return text ? `?${text}` : "";
}
