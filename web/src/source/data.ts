// SPDX-License-Identifier: MIT
//
// Source with what its lines cost, as the server has it (src/web/source_data.h), and the rows that
// are made of it. Pure.

import { tableUnit } from "../data/format.ts";

export interface Call {
  file: string;
  line: number;
  s: string;
}

export interface Instruction {
  a: string; // address
  t: string; // "" without a binary
  f: number;
  c: number;
  at: string; // "file:line" of the innermost frame
  b?: 1; // begins a block
  calls: Call[]; // inlined here, outermost first
}

export interface Line {
  n: number;
  s: string | null;
  f: number;
  c: number;
  i?: Instruction[];
}

export interface SourceFunction {
  name: string;
  file: string;
  flat: number;
  cum: number;
  error: string | null;
  lines: Line[];
}

export interface SourceData {
  unit: string;
  total: number;
  source_path: string;
  trim_path: string;
  left_out: number;
  functions: SourceFunction[];
}

export async function readSource(answer: Response): Promise<SourceData> {
  return (await answer.json()) as SourceData;
}

export type Row =
  | { kind: "head"; f: SourceFunction }
  | { kind: "gap" }
  | { kind: "line"; line: Line; heat: number; id: string; open: boolean }
  | { kind: "call"; call: Call; depth: number }
  | { kind: "inst"; inst: Instruction; heat: number };

const STEPS = 5;

/** How warm a value is beside the largest, 0 to 5. */
export function heatOf(value: number, most: number): number {
  const part = most > 0 ? Math.abs(value) / most : 0;
  return part === 0 ? 0 : Math.min(STEPS, 1 + Math.floor(part * STEPS * 0.999));
}

function sameCall(a: Call | undefined, b: Call): boolean {
  return a?.file === b.file && a.line === b.line;
}

/** The calls that the instruction before was not in already. */
function instructionRows(rows: Row[], list: readonly Instruction[], most: number): void {
  let before: readonly Call[] = [];
  for (const inst of list) {
    let same = true;
    inst.calls.forEach((call, depth) => {
      same = same && sameCall(before[depth], call);
      if (!same) rows.push({ kind: "call", call, depth });
    });
    before = inst.calls;
    if (inst.t !== "") rows.push({ kind: "inst", inst, heat: heatOf(inst.c, most) });
  }
}

export function hasCode(line: Line): boolean {
  return line.i?.some((i) => i.t !== "" || i.calls.length > 0) ?? false;
}

/** `closed`: lines whose instructions are not wanted. */
export function sourceRows(data: SourceData, closed: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  data.functions.forEach((f, index) => {
    const most = f.lines.reduce((m, l) => Math.max(m, Math.abs(l.c)), 0);
    rows.push({ kind: "head", f });
    let last = 0;
    for (const line of f.lines) {
      if (last > 0 && line.n > last + 1) rows.push({ kind: "gap" });
      last = line.n;
      const id = `${index}:${line.n}`;
      const open = hasCode(line) && !closed.has(id);
      rows.push({ kind: "line", line, heat: heatOf(line.c, most), id, open });
      if (open && line.i) instructionRows(rows, line.i, most);
    }
  });
  return rows;
}

/** One unit for all lines. */
export function sourceUnit(data: SourceData): string {
  let smallest = Infinity;
  let largest = 0;
  for (const f of data.functions)
    for (const { f: flat, c: cum } of f.lines)
      for (const v of [Math.abs(flat), Math.abs(cum)]) {
        if (v > 0) smallest = Math.min(smallest, v);
        largest = Math.max(largest, v);
      }
  return tableUnit(Number.isFinite(smallest) ? smallest : data.total, largest, data.unit);
}

/** The first row of the line that costs most. */
export function heaviestRow(rows: readonly Row[]): number {
  let best = -1;
  let most = 0;
  rows.forEach((row, i) => {
    if (row.kind !== "line" || Math.abs(row.line.c) <= most) return;
    most = Math.abs(row.line.c);
    best = i;
  });
  return best;
}
