// SPDX-License-Identifier: MIT
//
// The source of functions in a page that was saved: the lines' text was saved with it, for the
// functions that cost most; what they cost is counted here, as src/web/source_data.c does it.

import type { SourceData } from "../source/data.ts";
import type { Sample, Stored } from "./proto.ts";
import { cleanPath } from "./rows.ts";

const MARGIN = 5; // lines before the first and behind the last that cost something
const LISTED = 50;
const LINES = 20_000;

export interface SavedFile {
  error: string | null;
  /** Runs of lines: the number of the first, and their texts. */
  runs: [number, string[]][];
}

export interface SavedSource {
  source_path: string;
  trim_path: string;
  files: Record<string, SavedFile>;
}

interface Weights {
  name: string;
  file: string;
  start: number;
  lines: Map<number, { f: number; c: number }>;
}

/** What lines cost, by function and file. `names` are those of functions, as everywhere. */
function weigh(p: Stored, samples: readonly Sample[], type: number): Weights[] {
  const known = new Map<string, Weights>();
  const placeOf = p.locations.map((l) =>
    l.lines.map(({ fn, line }) => {
      const f = p.functions[fn];
      const file = cleanPath(f.file);
      const key = JSON.stringify([f.name, file]);
      let w = known.get(key);
      if (!w) known.set(key, (w = { name: f.name, file, start: 0, lines: new Map() }));
      if (f.start && (w.start === 0 || f.start < w.start)) w.start = f.start;
      return { w, line, id: `${key} ${line}` };
    }),
  );
  for (const s of samples) {
    const v = s.values[type];
    if (v === 0) continue;
    const seen = new Set<string>();
    s.refs.forEach((ref, depth) => {
      placeOf[ref].forEach(({ w, line, id }, i) => {
        let at = w.lines.get(line);
        if (!at) w.lines.set(line, (at = { f: 0, c: 0 }));
        if (depth === 0 && i === 0) at.f += v;
        if (!seen.has(id)) at.c += v;
        seen.add(id);
      });
    });
  }
  return [...known.values()].filter((w) => w.lines.size > 0);
}

function textOf(file: SavedFile | undefined, line: number): string | undefined {
  const run = file?.runs.find(([first, texts]) => line >= first && line < first + texts.length);
  return run?.[1][line - run[0]];
}

function linesOf(w: Weights, file: SavedFile | undefined) {
  const numbers = [...w.lines.keys()].filter((n) => n > 0).sort((a, b) => a - b);
  if (numbers.length === 0) return [];
  const first = Math.max(1, w.start ? Math.min(w.start, numbers[0]) : numbers[0] - MARGIN);
  const last = numbers[numbers.length - 1] + MARGIN;
  const lines: { n: number; s: string | null; f: number; c: number }[] = [];
  for (let n = Math.min(first, numbers[0]); n <= last && lines.length < LINES; n++) {
    const text = textOf(file, n);
    const cost = w.lines.get(n);
    if (text !== undefined || cost)
      lines.push({ n, s: text ?? null, f: cost?.f ?? 0, c: cost?.c ?? 0 });
    else {
      const next = numbers.find((line) => line > n);
      if (next === undefined) break;
      n = next - 1; /* nothing is known of what lies between */
    }
  }
  return lines;
}

export interface SourceQuestion {
  matches: (name: string) => boolean;
  type: number;
  total: number;
}

/** undefined: no function matches. */
export function listSource(
  p: Stored,
  saved: SavedSource,
  q: SourceQuestion,
): SourceData | undefined {
  const found = weigh(p, p.samples, q.type).filter((w) => q.matches(w.name));
  if (found.length === 0) return undefined;
  const functions = found.map((w) => {
    const file = saved.files[w.file];
    const sum = (pick: (l: { f: number; c: number }) => number): number =>
      [...w.lines.values()].reduce((all, l) => all + pick(l), 0);
    const error = !w.file
      ? "the profile names no file: the binary has no debug information"
      : !file
        ? "the source of this function was not saved with the page"
        : file.error;
    return {
      name: w.name,
      file: w.file,
      flat: sum((l) => l.f),
      cum: sum((l) => l.c),
      error,
      lines: w.file ? linesOf(w, file) : [],
    };
  });
  functions.sort((a, b) => Math.abs(b.cum) - Math.abs(a.cum));
  return {
    unit: p.sampleTypes[q.type].unit,
    total: q.total,
    source_path: saved.source_path,
    trim_path: saved.trim_path,
    left_out: Math.max(0, functions.length - LISTED),
    functions: functions.slice(0, LISTED),
  };
}
