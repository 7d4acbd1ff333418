// SPDX-License-Identifier: MIT
//
// Reads profile.proto, as far as the page's views need it: a page that was saved as one file has
// its profile inside. Numbers are doubles, exact up to 2^53.

export interface Line {
  fn: number; // of functions
  line: number;
  column: number;
}

export interface Location {
  address: string; // sixteen hexadecimal digits, or ""
  mapping: number; // of mappings, or -1
  lines: readonly Line[]; // the innermost inlined first
}

export interface Label {
  key: string;
  text: string | undefined; // undefined: a number
}

export interface Sample {
  refs: readonly number[]; // of locations, leaf first
  values: readonly number[];
  labels: readonly Label[];
}

interface ValueType {
  type: string;
  unit: string;
}

export interface Stored {
  sampleTypes: ValueType[];
  periodType: ValueType;
  period: number;
  timeNanos: number;
  durationNanos: number;
  defaultType: string;
  comments: string[];
  docUrl: string;
  mappings: string[]; // files
  functions: { name: string; file: string; start: number }[];
  locations: Location[];
  samples: Sample[];
}

/** `halves`: the number's upper and lower 32 bits. */
type Field = (number: number, value: number, bytes: Uint8Array, halves: [number, number]) => void;

/** Calls `field` for all fields of a message: with a number, or with bytes. */
function readMessage(bytes: Uint8Array, field: Field): void {
  const none = new Uint8Array(0);
  let at = 0;
  const halves: [number, number] = [0, 0];
  const varint = (): number => {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const b = bytes[at++];
      if (b === undefined) throw new Error("The saved profile ends in the middle of a number.");
      if (shift < 28) low |= (b & 127) << shift;
      else if (shift === 28) {
        low |= (b & 15) << 28;
        high |= (b & 127) >> 4;
      } else if (shift < 63) high |= (b & 127) << (shift - 32);
      else high |= (b & 1) << 31;
      if (b < 128) break;
    }
    [halves[0], halves[1]] = [high >>> 0, low >>> 0];
    return (high | 0) * 2 ** 32 + (low >>> 0);
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === 0) field(number, varint(), none, halves);
    else if (wire === 2) {
      const size = varint();
      field(number, 0, bytes.subarray(at, at + size), halves);
      at += size;
    } else if (wire === 1 || wire === 5) at += wire === 1 ? 8 : 4;
    else throw new Error("The saved profile is damaged.");
  }
}

/** A repeated number: one of it, or many that are packed. */
function pushNumbers(list: number[], value: number, bytes: Uint8Array): void {
  if (bytes.length === 0) {
    list.push(value);
    return;
  }
  const one = new Uint8Array(11); /* as the field of a message of its own */
  one[0] = 8;
  for (let at = 0; at < bytes.length; ) {
    let end = at;
    while (bytes[end] >= 128) end++;
    one.set(bytes.subarray(at, end + 1), 1);
    readMessage(one.subarray(0, end + 2 - at), (_, v) => list.push(v));
    at = end + 1;
  }
}

interface Raw {
  types: Uint8Array[];
  samples: Uint8Array[];
  mappings: Uint8Array[];
  locations: Uint8Array[];
  functions: Uint8Array[];
  strings: string[];
  numbers: Map<number, number>;
  periodType: Uint8Array;
  comments: number[];
}

function readRaw(bytes: Uint8Array): Raw {
  const decoder = new TextDecoder();
  const raw: Raw = {
    types: [],
    samples: [],
    mappings: [],
    locations: [],
    functions: [],
    strings: [],
    numbers: new Map(),
    periodType: new Uint8Array(0),
    comments: [],
  };
  const lists = [, raw.types, raw.samples, raw.mappings, raw.locations, raw.functions];
  readMessage(bytes, (number, value, inside) => {
    const list = lists[number];
    if (list) list.push(inside);
    else if (number === 6) raw.strings.push(decoder.decode(inside));
    else if (number === 11) raw.periodType = inside;
    else if (number === 13) pushNumbers(raw.comments, value, inside);
    else raw.numbers.set(number, value);
  });
  return raw;
}

function readType(strings: readonly string[], bytes: Uint8Array): ValueType {
  const of: ValueType = { type: "", unit: "" };
  readMessage(bytes, (n, v) => {
    if (n === 1) of.type = strings[v];
    if (n === 2) of.unit = strings[v];
  });
  return of;
}

function readLabel(strings: readonly string[], bytes: Uint8Array): Label {
  const label: Label = { key: "", text: undefined };
  readMessage(bytes, (n, v) => {
    if (n === 1) label.key = strings[v];
    if (n === 2 && v > 0) label.text = strings[v];
  });
  return label;
}

function hex(half: number): string {
  return half.toString(16).padStart(8, "0");
}

export function readProfile(bytes: Uint8Array): Stored {
  const raw = readRaw(bytes);
  const { strings, numbers } = raw;
  const number = (n: number): number => numbers.get(n) ?? 0;
  const numberOf = (ids: Map<number, number>, id: number): number => ids.get(id) ?? -1;
  const mappingIds = new Map<number, number>();
  const functionIds = new Map<number, number>();
  const locationIds = new Map<number, number>();
  const mappings = raw.mappings.map((m, i) => {
    let file = "";
    readMessage(m, (n, v) => {
      if (n === 1) mappingIds.set(v, i);
      if (n === 5) file = strings[v];
    });
    return file;
  });
  const functions = raw.functions.map((f, i) => {
    const of = { name: "", file: "", start: 0 };
    readMessage(f, (n, v) => {
      if (n === 1) functionIds.set(v, i);
      if (n === 2) of.name = strings[v];
      if (n === 4) of.file = strings[v];
      if (n === 5) of.start = v;
    });
    return of;
  });
  const locations = raw.locations.map((l, i): Location => {
    let mapping = -1;
    let address = "";
    const lines: Line[] = [];
    readMessage(l, (n, v, inside, halves) => {
      if (n === 1) locationIds.set(v, i);
      if (n === 2 && v !== 0) mapping = numberOf(mappingIds, v);
      if (n === 3 && v !== 0) address = halves.map(hex).join("");
      if (n !== 4) return;
      const line: Line = { fn: -1, line: 0, column: 0 };
      readMessage(inside, (k, w) => {
        if (k === 1) line.fn = numberOf(functionIds, w);
        if (k === 2) line.line = w;
        if (k === 3) line.column = w;
      });
      lines.push(line);
    });
    return { address, mapping, lines };
  });
  const samples = raw.samples.map((s): Sample => {
    const [refs, values]: number[][] = [[], []];
    const labels: Label[] = [];
    readMessage(s, (n, v, inside) => {
      if (n === 1) pushNumbers(refs, v, inside);
      if (n === 2) pushNumbers(values, v, inside);
      if (n === 3) labels.push(readLabel(strings, inside));
    });
    return { refs: refs.map((id) => numberOf(locationIds, id)), values, labels };
  });
  return {
    sampleTypes: raw.types.map((t) => readType(strings, t)),
    periodType: readType(strings, raw.periodType),
    period: number(12),
    timeNanos: number(9),
    durationNanos: number(10),
    defaultType: strings[number(14)] ?? "",
    comments: raw.comments.map((c) => strings[c]),
    docUrl: strings[number(15)] ?? "",
    mappings,
    functions,
    locations,
    samples,
  };
}
