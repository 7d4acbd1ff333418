// SPDX-License-Identifier: MIT
//
// What the URL says, and how. Defaults are left out, so that the plain address is the plain page.
// `si` is pprof's name for the sample type.

export type View = "flame" | "top";
export type SortKey = "flat" | "cum" | "name";
export type Theme = "" | "light" | "dark";

export interface Route {
  view: View;
  sampleType: string; // "" is the profile's default
  query: string;
  zoom: string; // see flame/place.ts
  at: string; // place of the chosen box
  selected: string; // name of the chosen function
  sort: SortKey;
  reversed: boolean; // against the column's natural order
  theme: Theme;
}

function oneOf<T extends string>(value: string | null, allowed: readonly T[], fallback: T): T {
  return allowed.find((a) => a === value) ?? fallback;
}

export function routeFromQuery(query: string): Route {
  const q = new URLSearchParams(query);
  const text = (name: string): string => q.get(name) ?? "";
  return {
    view: oneOf(q.get("view"), ["flame", "top"], "flame"),
    sampleType: text("si"),
    query: text("q"),
    zoom: text("zoom"),
    at: text("at"),
    selected: text("sel"),
    sort: oneOf(q.get("sort"), ["flat", "cum", "name"], "flat"),
    reversed: q.get("rev") === "1",
    theme: oneOf<Theme>(q.get("theme"), ["light", "dark"], ""),
  };
}

export function routeToQuery(r: Route): string {
  const q = new URLSearchParams();
  const put = (name: string, value: string, fallback = ""): void => {
    if (value !== fallback) q.set(name, value);
  };
  put("view", r.view, "flame");
  put("si", r.sampleType);
  put("q", r.query);
  put("zoom", r.zoom);
  put("at", r.at);
  put("sel", r.selected);
  put("sort", r.sort, "flat");
  put("rev", r.reversed ? "1" : "");
  put("theme", r.theme);
  const text = q.toString();
  return text ? `?${text}` : "";
}
