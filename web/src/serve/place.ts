// SPDX-License-Identifier: MIT
//
// Where and when the dashboard looks, as it stands in the URL. Times are milliseconds since 1970.

import type { Context } from "../route.ts";

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
  by: string; // label to group by
}

export function readPlace(c: Context): Place {
  const page = pages.find((p) => p.page === c.page)?.page ?? "cpu";
  const until = Number(c.until);
  const sel = /^(\d{12,14})-(\d{12,14})$/.exec(c.span ?? "");
  const [from, to] = sel ? [Number(sel[1]), Number(sel[2])] : [0, 0];
  return {
    page,
    app: c.app ?? "",
    kind: c.kind ?? "",
    range: ranges.find((r) => r === c.range) ?? "1h",
    until: c.until && Number.isFinite(until) ? until : undefined,
    selection: to > from ? { from, until: to } : undefined,
    by: c.by ?? "",
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

/** A query of the API: cpu{service_name="api"}, heap/alloc_space{…}. */
export function makeQuery(kind: string, type: string, app: string): string {
  const quoted = app.replace(/[\\"]/g, "\\$&");
  return `${kind}${type ? `/${type}` : ""}{service_name="${quoted}"}`;
}
