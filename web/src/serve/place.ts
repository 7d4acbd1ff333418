// SPDX-License-Identifier: MIT
//
// Where and when the dashboard looks, as it stands in the URL. Times are milliseconds since 1970.

import type { Context } from "../route.ts";
import { parseMatches, type Match } from "./matches.ts";

export type Page = "cpu" | "memory" | "time" | "targets" | "suite";

export const pages: { page: Page; label: string }[] = [
  { page: "cpu", label: "CPU" },
  { page: "memory", label: "Memory" },
  { page: "time", label: "Time" },
  { page: "targets", label: "Targets" },
  { page: "suite", label: "Suite" },
];

export const ranges = ["15m", "1h", "6h", "24h", "7d", "30d"] as const;

const UNIT_MS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

export function rangeMs(range: string): number {
  const m = /^(\d+)([mhd])$/.exec(range);
  return m ? Number(m[1]) * UNIT_MS[m[2]] : rangeMs("1h");
}

export interface Window {
  from: number;
  until: number;
}

export interface Place {
  page: Page;
  app: string;
  kind: string;
  range: string;
  until: number | undefined; // undefined: now, and it moves on
  selection: Window | undefined;
  /** What it is compared with: a range, or as long a time before it. */
  versus: Window | "before" | undefined;
  by: string; // label to group by
  where: Match[]; // besides the application
  trend: string; // function whose trend the chart shows; "": the total
  tab: SuiteTab;
  run: string; // of the suite; "": the list of them
  show: RunView;
}

export const suiteTabs = [
  { tab: "cpu", label: "CPU" },
  { tab: "memory", label: "Memory" },
  { tab: "time", label: "Time" },
] as const;
export type SuiteTab = (typeof suiteTabs)[number]["tab"];

export const runViews = [
  { show: "flame", label: "Profile" },
  { show: "diagram", label: "Diagram" },
  { show: "graph", label: "Graph" },
  { show: "report", label: "Report" },
] as const;
export type RunView = (typeof runViews)[number]["show"];

function readSpan(text: string | undefined): Window | undefined {
  const ends = /^(\d{12,14})-(\d{12,14})$/.exec(text ?? "");
  const [from, until] = ends ? [Number(ends[1]), Number(ends[2])] : [0, 0];
  return until > from ? { from, until } : undefined;
}

export function writeSpan(w: Window): string {
  return `${Math.round(w.from)}-${Math.round(w.until)}`;
}

export function readPlace(c: Context): Place {
  const page = pages.find((p) => p.page === c.page)?.page ?? "cpu";
  const until = Number(c.until);
  return {
    page,
    app: c.app ?? "",
    kind: c.kind ?? "",
    range: ranges.find((r) => r === c.range) ?? "1h",
    until: c.until && Number.isFinite(until) ? until : undefined,
    selection: readSpan(c.span),
    versus: c.vs === "before" ? "before" : readSpan(c.vs),
    by: c.by ?? "",
    where: parseMatches(c.where ?? ""),
    trend: c.trend ?? "",
    tab: suiteTabs.find((t) => t.tab === c.tab)?.tab ?? "cpu",
    run: c.run ?? "",
    show: runViews.find((v) => v.show === c.show)?.show ?? "flame",
  };
}

export function windowOf(p: Place, now: number): Window {
  const until = p.until ?? now;
  return { from: until - rangeMs(p.range), until };
}

/** Which view a kind of profile belongs to. */
export function pageOf(kind: string): Page {
  if (kind === "cpu" || kind === "profile") return "cpu";
  if (/^(heap|allocs|memory|alloc)/.test(kind)) return "memory";
  return "time";
}

const KIND_ORDER = ["cpu", "heap", "allocs", "block", "mutex", "wall"];

/** Kinds in the order of their tabs: those that the view is named for before others. */
export function sortKinds(kinds: Iterable<string>): string[] {
  const rank = (kind: string): number => {
    const at = KIND_ORDER.indexOf(kind);
    return at < 0 ? KIND_ORDER.length : at;
  };
  return [...new Set(kinds)].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}
