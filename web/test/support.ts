// SPDX-License-Identifier: MIT
//
// Profiles for tests, from folded stacks: "main;work;parse" and a value. They take the way of real
// ones, through the bytes the server would send.

import { readBody, type SampleType } from "../src/data/columns.ts";
import { makeProfile, type Profile } from "../src/data/profile.ts";

interface Node {
  name: string;
  self: number;
  weight: number;
  children: Map<string, Node>;
}

export interface Folded {
  [stack: string]: number;
}

function grow(folded: Folded): Node {
  const root: Node = { name: "", self: 0, weight: 0, children: new Map() };
  for (const [stack, value] of Object.entries(folded)) {
    let at = root;
    at.weight += Math.abs(value);
    for (const name of stack.split(";")) {
      let next = at.children.get(name);
      if (!next) at.children.set(name, (next = { name, self: 0, weight: 0, children: new Map() }));
      at = next;
      at.weight += Math.abs(value);
    }
    at.self += value;
  }
  return root;
}

function encode(facts: object, columns: [string, "i32" | "f64", number[]][]): ArrayBuffer {
  let offset = 0;
  const rows = columns.map(([name, type, data]) => {
    const row = { name, type, offset, count: data.length };
    offset += Math.ceil((data.length * (type === "i32" ? 4 : 8)) / 8) * 8;
    return row;
  });
  let text = JSON.stringify({ ...facts, columns: rows });
  text += " ".repeat((8 - (new TextEncoder().encode(text).length % 8)) % 8);
  const json = new TextEncoder().encode(text);
  const bytes = new ArrayBuffer(16 + json.length + offset);
  new Uint8Array(bytes).set(new TextEncoder().encode("strobeC1"));
  new DataView(bytes).setUint32(8, json.length, true);
  new Uint8Array(bytes).set(json, 16);
  columns.forEach(([, type, data], i) => {
    const start = 16 + json.length + rows[i].offset;
    if (type === "i32") new Int32Array(bytes, start, data.length).set(data);
    else new Float64Array(bytes, start, data.length).set(data);
  });
  return bytes;
}

export function profileOf(
  folded: Folded,
  sampleType: SampleType = { type: "cpu", unit: "nanoseconds" },
): Profile {
  const names = [...new Set(Object.keys(folded).flatMap((s) => s.split(";")))];
  const flat = names.map(() => 0);
  const cum = names.map(() => 0);
  for (const [stack, value] of Object.entries(folded)) {
    const parts = stack.split(";");
    flat[names.indexOf(parts[parts.length - 1])] += value;
    for (const name of new Set(parts)) cum[names.indexOf(name)] += value;
  }
  const parent = [0];
  const frame = [-1];
  const queue = [grow(folded)];
  const self = [queue[0].self];
  const weight = [0];
  for (let i = 0; i < queue.length; i++) {
    const children = [...queue[i].children.values()];
    children.sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1));
    weight[i] = queue[i].weight - children.reduce((sum, c) => sum + c.weight, 0);
    for (const child of children) {
      parent.push(i);
      frame.push(names.indexOf(child.name));
      self.push(child.self);
      queue.push(child);
    }
  }
  const values = Object.values(folded);
  const negative = values.some((v) => v < 0);
  const numbers = names.map((_, i) => i);
  const none = names.length;
  const facts = {
    title: "test",
    sample_types: [sampleType],
    type: 0,
    period_type: sampleType,
    period: 1,
    time_nanos: 0,
    duration_nanos: 0,
    comments: [],
    doc_url: "",
    lineless: 0,
    sample_count: values.length,
    total: values.reduce((a, b) => a + Math.abs(b), 0),
    left: values.reduce((a, b) => a + Math.abs(b), 0),
    labels: [],
    left_out: 0,
    given: [],
    self_unit: 1,
    strings: [...names, ""],
  };
  return makeProfile(
    readBody(
      encode(facts, [
        ["function_name", "i32", numbers],
        ["function_flat", "f64", flat],
        ["function_cum", "f64", cum],
        ["frame_function", "i32", numbers],
        ["frame_file", "i32", names.map(() => none)],
        ["frame_module", "i32", names.map(() => none)],
        ["frame_line", "i32", names.map(() => 0)],
        ["frame_inlined", "i32", names.map(() => 0)],
        ["node_parent", "i32", parent],
        ["node_frame", "i32", frame],
        ["node_self", "f64", self],
        ...(negative ? ([["node_weight", "f64", weight]] as [string, "f64", number[]][]) : []),
      ]),
    ),
  );
}

/** A generator of the same numbers in 0 .. 1 for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function randomProfile(seed: number, stacks: number, names = 12): Profile {
  const next = random(seed);
  const folded: Folded = {};
  for (let i = 0; i < stacks; i++) {
    const depth = 1 + Math.floor(next() * 8);
    const stack = Array.from({ length: depth }, () => `f${Math.floor(next() ** 2 * names)}`);
    folded[stack.join(";")] = 1 + Math.floor(next() ** 6 * 1e6);
  }
  return profileOf(folded);
}
