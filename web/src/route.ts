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
export type Options = Partial<Record<OptionName, string>>;

/** What the dashboard adds: where and when (serve/place.ts reads it). */
export const contextNames = [
  "page",
  "app",
  "kind",
  "range",
  "until",
  "span",
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

export function routeToQuery(r: Route): string {
  const text = routeToParams(r).toString();
  return text ? `?${text}` : "";
}
