// SPDX-License-Identifier: MIT
//
// Granularities in a page that was saved: what is not to be told apart is cleared, as
// src/analyze/aggregate.c does it, and what is left are the rows of a table, with the names that
// reports print (src/analyze/frames.c).

import type { Line, Location, Stored } from "./proto.ts";

interface Detail {
  function?: boolean;
  file?: boolean;
  line?: boolean;
  address?: boolean;
}

const granularities: Record<string, Detail> = {
  functions: { function: true },
  filefunctions: { function: true, file: true },
  files: { file: true },
  lines: { function: true, file: true, line: true },
  addresses: { function: true, file: true, line: true, address: true },
};

export interface Granularity {
  name: string; // "" is that of the flame graph: functions, with their files and binaries
  noinlines: boolean;
  columns: boolean;
}

/** Whether that is one, and its rows are not just functions. */
export function isByRows(name: string): boolean {
  return name !== "" && name !== "functions";
}

export function isGranularity(name: string): boolean {
  return name === "" || Object.hasOwn(granularities, name);
}

export function aggregate(p: Stored, g: Granularity): Stored {
  const name = isByRows(g.name) ? g.name : "addresses";
  if (name === "addresses" && !g.noinlines) return p;
  const keep = granularities[name];
  const line = (l: Line): Line => ({
    fn: l.fn,
    line: keep.line ? l.line : 0,
    column: keep.line && g.columns ? l.column : 0,
  });
  return {
    ...p,
    functions: p.functions.map((f) => ({
      ...f,
      name: keep.function ? f.name : "",
      file: keep.file ? f.file : "",
    })),
    locations: p.locations.map((l) => ({
      ...l,
      address: keep.address ? l.address : "",
      lines: (g.noinlines ? l.lines.slice(-1) : l.lines).map(line),
    })),
  };
}

/** Go's filepath.Clean; "" stays. */
export function cleanPath(path: string): string {
  if (path === "") return "";
  const rooted = path.startsWith("/");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    const up = part === "..";
    if (up && parts.length > 0 && parts[parts.length - 1] !== "..") parts.pop();
    else if (!up || !rooted) parts.push(part);
  }
  return (rooted ? "/" : "") + parts.join("/") || ".";
}

/** Of a binary, as its name stands in brackets. */
export function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, "") || path.slice(0, 1);
  return trimmed.slice(trimmed.lastIndexOf("/") + 1) || "/";
}

export interface Row {
  id: string; // what makes it one
  name: string;
}

/** The row of a location's line; of a location without lines, of its binary. */
export function rowOf(p: Stored, l: Location, at: number): Row {
  const line = l.lines[at] as Line | undefined;
  const f = line && p.functions[line.fn];
  const module = l.mapping >= 0 ? p.mappings[l.mapping] : "";
  const file = f ? cleanPath(f.file) : "";
  const [number, column] = f ? [line.line, line.column] : [0, 0];
  const object = f?.name ? "" : module;
  const start = f && !f.name ? f.start : 0;
  const parts = [l.address, f?.name ?? ""].filter((part) => part !== "");
  if (number !== 0) parts.push(`${file}:${number}${column ? `:${column}` : ""}`);
  else if (file) parts.push(file);
  else if (!f?.name) parts.push(object ? `[${baseName(object)}]` : "<unknown>");
  return {
    id: JSON.stringify([f?.name ?? "", file, object, l.address, number, column, start]),
    name: parts.join(" "),
  };
}
