// SPDX-License-Identifier: MIT
//
// The body of a profile as the page reads it (data/columns.ts), made in the page: the counterpart
// of src/web/body.c, columns.c and labels.c.

import type { LabelKey } from "../data/columns.ts";
import {
  functionCosts,
  makeFrames,
  makeTree,
  weighLineless,
  type Frames,
  type WalkOptions,
} from "./flame.ts";
import type { Sample, Stored } from "./proto.ts";

const LABEL_KEYS = 64;
const LABEL_VALUES = 200;

export function isBase(s: Sample): boolean {
  return s.labels.some((l) => l.key === "pprof::base" && l.text === "true");
}

/** What percentages are of: of a difference the base alone. */
export function totalOf(samples: readonly Sample[], type: number): number {
  let all = 0;
  let base = 0;
  for (const s of samples) {
    const v = Math.abs(s.values[type]);
    all += v;
    if (v && isBase(s)) base += v;
  }
  return base || all;
}

function labelsOf(samples: readonly Sample[], type: number): LabelKey[] {
  const numbers = new Map<string, number>(); // in order of first use
  const numberOf = (text: string): number => {
    const known = numbers.get(text) ?? numbers.size;
    numbers.set(text, known);
    return known;
  };
  const keys = new Map<string, Map<string, number>>();
  for (const s of samples) {
    const weight = Math.abs(s.values[type]);
    for (const { key, text } of weight ? s.labels : []) {
      if (text === undefined) continue;
      numberOf(key);
      numberOf(text);
      const values = keys.get(key) ?? new Map<string, number>();
      keys.set(key, values.set(text, (values.get(text) ?? 0) + weight));
    }
  }
  return [...keys]
    .sort(([a], [b]) => numberOf(a) - numberOf(b))
    .slice(0, LABEL_KEYS)
    .map(([key, values]) => ({
      key,
      count: values.size,
      values: [...values]
        .sort((a, b) => b[1] - a[1] || numberOf(a[0]) - numberOf(b[0]))
        .slice(0, LABEL_VALUES)
        .map(([value, sum]) => ({ value, sum })),
    }));
}

type Column = Int32Array | Float64Array;

/** The bytes of "strobe columns 1". */
function writeBytes(facts: object, columns: Map<string, Column>): ArrayBuffer {
  const rows: { name: string; type: string; offset: number; count: number }[] = [];
  let size = 0;
  for (const [name, c] of columns) {
    const type = c instanceof Int32Array ? "i32" : "f64";
    rows.push({ name, type, offset: size, count: c.length });
    size += Math.ceil(c.byteLength / 8) * 8;
  }
  const text = new TextEncoder().encode(JSON.stringify({ ...facts, columns: rows }));
  const length = Math.ceil(text.length / 8) * 8;
  const bytes = new ArrayBuffer(16 + length + size);
  const all = new Uint8Array(bytes);
  all.set(new TextEncoder().encode("strobeC1"));
  new DataView(bytes).setUint32(8, length, true);
  all.fill(32, 16, 16 + length).set(text, 16);
  rows.forEach(({ name, offset }) => {
    const c = columns.get(name) as Column;
    all.set(new Uint8Array(c.buffer, c.byteOffset, c.byteLength), 16 + length + offset);
  });
  return bytes;
}

/** Of a difference: the totals of both sides, and each function's before and noise. */
function addSides(
  p: Stored,
  f: Frames,
  o: BodyOptions,
  columns: Map<string, Column>,
): object | undefined {
  const { type } = o.walk;
  const value = (s: Sample): number => s.values[type];
  let before = 0;
  let after = 0;
  for (const s of p.samples) {
    if (isBase(s)) before += value(s);
    else after += value(s);
  }
  if (before === 0) return undefined;
  const sides = { before: -before, after };
  const was = functionCosts(f, p.samples, (s) => (isBase(s) ? value(s) : 0));
  columns.set("function_flat_before", was.flat);
  columns.set("function_cum_before", was.cum);
  const count = p.sampleTypes.findIndex(
    (t) => t.unit === "count" && (t.type === "samples" || t.type === "sample"),
  );
  if (count < 0) return sides;
  const noise = functionCosts(f, p.samples, (s) => {
    const n = Math.abs(s.values[count]);
    return n > 0 ? value(s) ** 2 / n : 0;
  });
  columns.set("function_flat_variance", noise.flat);
  columns.set("function_cum_variance", noise.cum);
  return { ...sides, variance_unit: 1 };
}

export interface BodyOptions {
  title: string;
  walk: WalkOptions;
  total: number; // before it was refined
  sampleCount: number; // likewise
  given: [string, string][];
  more: object; // further facts
  byRows: boolean; // see makeFrames
}

export function makeBody(p: Stored, o: BodyOptions): ArrayBuffer {
  const { type } = o.walk;
  const f = makeFrames(p, o.byRows);
  const costs = functionCosts(f, p.samples, (s) => s.values[type]);
  const tree = makeTree(f, p.samples, o.walk);
  const numbers = new Map<string, number>();
  const string = (text: string): number => {
    const known = numbers.get(text) ?? numbers.size;
    numbers.set(text, known);
    return known;
  };
  const columns = new Map<string, Column>([
    ["function_name", Int32Array.from(f.names, string)],
    ["function_flat", costs.flat],
    ["function_cum", costs.cum],
    ["frame_function", Int32Array.from(f.frames, (x) => x.fn)],
    ["frame_line", Int32Array.from(f.frames, (x) => x.line)],
    ["frame_inlined", Int32Array.from(f.frames, (x) => Number(x.inlined))],
    ["frame_file", Int32Array.from(f.frames, (x) => string(x.file))],
    ["frame_module", Int32Array.from(f.frames, (x) => string(x.module))],
    ["node_parent", tree.parent],
    ["node_frame", tree.frame],
    ["node_self", tree.self],
  ]);
  if (tree.weight) columns.set("node_weight", tree.weight);
  const sides = tree.weight && addSides(p, f, o, columns);
  const facts = {
    title: o.title,
    sample_types: p.sampleTypes,
    type,
    period_type: p.periodType,
    period: p.period,
    time_nanos: p.timeNanos,
    duration_nanos: p.durationNanos,
    comments: p.comments,
    doc_url: /^https?:\/\/./i.test(p.docUrl) ? p.docUrl : "",
    sample_count: o.sampleCount,
    total: o.total,
    left: totalOf(p.samples, type),
    left_out: tree.leftOut,
    lineless: weighLineless(f, p.samples, type),
    labels: labelsOf(p.samples, type),
    given: o.given,
    self_unit: 1,
    ...(sides ? { sides } : {}),
    ...o.more,
    strings: [...numbers.keys()],
  };
  return writeBytes(facts, columns);
}
