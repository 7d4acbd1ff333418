// SPDX-License-Identifier: MIT
//
// Reads the profile body, format "strobe columns 1" (src/web/columns.h and body.h say what it
// holds). Columns are views of the received bytes: nothing is parsed or copied.

export interface SampleType {
  type: string;
  unit: string;
}

export interface LabelKey {
  key: string;
  count: number; // of all its values
  values: { value: string; sum: number }[]; // the heaviest
}

export interface Facts {
  title: string;
  sample_types: SampleType[];
  type: number;
  period_type: SampleType;
  period: number;
  time_nanos: number;
  duration_nanos: number;
  comments: string[];
  doc_url: string; // "", or http or https
  sample_count: number;
  total: number; // of the profile before it was refined
  mean_total?: number; // the same of means, where these are asked for
  left: number; // of what is left of it
  lineless: number; // of the samples with frames that boxes leave out
  labels: LabelKey[];
  left_out: number;
  given: [string, string][]; // parameters, as the command line says them
  self_unit: number;
  /** Of a difference: the totals of both sides. */
  sides?: { before: number; after: number; variance_unit?: number };
  strings: string[];
}

interface ColumnRow {
  name: string;
  type: "i32" | "f64";
  offset: number;
  count: number;
}

export interface Body {
  facts: Facts;
  i32(name: string): Int32Array;
  f64(name: string): Float64Array;
  /** Of either type, as a copy, multiplied by `unit`. */
  numbers(name: string, unit: number): Float64Array;
  has(name: string): boolean;
}

const MAGIC = "strobeC1";

/** Throws an Error with a sentence if the bytes are none of ours. */
export function readBody(bytes: ArrayBuffer): Body {
  const head = bytes.byteLength >= 16 ? new TextDecoder().decode(new Uint8Array(bytes, 0, 8)) : "";
  if (head !== MAGIC) throw new Error("The server's answer is not a profile of this strobe.");
  const length = new DataView(bytes).getUint32(8, true);
  const text = new TextDecoder().decode(new Uint8Array(bytes, 16, length));
  const { columns, ...facts } = JSON.parse(text) as Facts & { columns: ColumnRow[] };
  const base = 16 + length;
  const rows = new Map(columns.map((c) => [c.name, c]));

  function find(name: string, type: ColumnRow["type"]): ColumnRow {
    const row = rows.get(name);
    if (!row || row.type !== type) throw new Error(`The profile has no column ${name}.`);
    return row;
  }
  return {
    facts,
    has: (name) => rows.has(name),
    numbers(name, unit) {
      const values = rows.get(name)?.type === "f64" ? this.f64(name) : this.i32(name);
      const copy = new Float64Array(values); /* not .from(), which goes through an iterator */
      if (unit !== 1) for (let i = 0; i < copy.length; i++) copy[i] *= unit;
      return copy;
    },
    i32(name) {
      const row = find(name, "i32");
      return new Int32Array(bytes, base + row.offset, row.count);
    },
    f64(name) {
      const row = find(name, "f64");
      return new Float64Array(bytes, base + row.offset, row.count);
    },
  };
}
