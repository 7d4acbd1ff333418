// SPDX-License-Identifier: MIT
//
// The tree and the functions of a profile's samples, in a page that was saved: what
// src/analyze/flame.c and flame_frames.c make on the server, with the same names, order and limit.

import type { Location, Sample, Stored } from "./proto.ts";
import { baseName, rowOf } from "./rows.ts";

export interface Frame {
  fn: number;
  file: string;
  module: string;
  line: number;
  inlined: boolean;
}

/** Functions by name, and what boxes stand for. */
export interface Frames {
  names: string[]; // of functions
  frames: Frame[];
  /** Of each location its frames, the outermost first. */
  of: Int32Array[];
  /** 1 by location: it has no lines, and walks step over it. */
  lineless: Uint8Array;
}

/** "[libfoo.so]" of "/usr/lib/libfoo.so". */
function binaryName(file: string): string {
  return file ? `[${baseName(file)}]` : "<unknown>";
}

/** By rows: a function is what is one row of a table. */
export function makeFrames(p: Stored, byRows = false): Frames {
  const functionIds = new Map<string, number>();
  const frameIds = new Map<string, number>();
  const lineless = Uint8Array.from(p.locations, (l) => Number(l.lines.length === 0));
  const made: Frames = { names: [], frames: [], of: [], lineless };
  const numberOf = (key: string, name: () => string): number => {
    let id = functionIds.get(key);
    if (id === undefined) {
      functionIds.set(key, (id = made.names.length));
      made.names.push(name());
    }
    return id;
  };
  const functionNumber = (name: string, binary: string): number =>
    numberOf(name ? `f${name}` : `b${binary}`, () => name || binaryName(binary));
  const rowNumber = (l: Location, at: number): number => {
    const { id, name } = rowOf(p, l, at);
    return numberOf(id, () => name);
  };
  const frameNumber = (l: Location, at: number): number => {
    const module = l.mapping >= 0 ? p.mappings[l.mapping] : "";
    const line = l.lines[at];
    const f = line && p.functions[line.fn];
    const fn = byRows ? rowNumber(l, at) : functionNumber(f?.name ?? "", f ? "" : module);
    const file = f?.file ?? "";
    const inlined = at + 1 < l.lines.length;
    const key = JSON.stringify([fn, file, module, inlined]);
    let id = frameIds.get(key);
    if (id === undefined) {
      frameIds.set(key, (id = made.frames.length));
      made.frames.push({ fn, file, module, line: f ? f.start || line.line : 0, inlined });
    }
    return id;
  };
  for (const l of p.locations) {
    const count = Math.max(1, l.lines.length);
    const frames = new Int32Array(count);
    for (let k = 0; k < count; k++) frames[k] = frameNumber(l, count - 1 - k);
    made.of.push(frames);
  }
  return made;
}

export interface Costs {
  flat: Float64Array;
  cum: Float64Array;
}

/** `value` of each sample, by the functions that it has. */
export function functionCosts(
  f: Frames,
  samples: readonly Sample[],
  value: (s: Sample) => number,
): Costs {
  const flat = new Float64Array(f.names.length);
  const cum = new Float64Array(f.names.length);
  const stamp = new Int32Array(f.names.length).fill(-1);
  samples.forEach((s, number) => {
    const v = value(s);
    if (v === 0 || s.refs.length === 0) return;
    for (const ref of s.refs)
      for (const frame of f.of[ref]) {
        const { fn } = f.frames[frame];
        if (stamp[fn] !== number) cum[fn] += v;
        stamp[fn] = number;
      }
    const leaf = f.of[s.refs[0]];
    flat[f.frames[leaf[leaf.length - 1]].fn] += v;
  });
  return { flat, cum };
}

export type Walk = "root" | "leaf" | "callers" | "callees";

/** A sample's frames in the order of the walk; undefined where the function is not in it. */
function walkOf(f: Frames, s: Sample, walk: Walk, fn: number): number[] | undefined {
  const down: number[] = []; // from the start of the program to the leaf
  let [before, behind] = [-1, -1]; // the function's outermost call: what is over and beneath it
  for (let k = s.refs.length - 1; k >= 0; k--) {
    const stepped = f.lineless[s.refs[k]] === 1;
    for (const frame of f.of[s.refs[k]]) {
      const found = before < 0 && f.frames[frame].fn === fn;
      if (found) before = down.length;
      if (!stepped) down.push(frame);
      if (found) behind = down.length;
    }
  }
  if (walk === "root") return down;
  if (walk === "leaf") return down.reverse();
  if (before < 0) return undefined;
  return walk === "callees" ? down.slice(behind) : down.slice(0, before).reverse();
}

interface Node {
  parent: Node | undefined;
  frame: number;
  depth: number;
  self: number;
  own: number; // weight of what ends here
  weight: number;
  rest: number; // not opened: of what goes on
  open: boolean;
  samples: { walk: number[]; value: number }[];
  children: Node[];
}

function makeNode(parent: Node | undefined, frame: number): Node {
  return {
    parent,
    frame,
    depth: parent ? parent.depth + 1 : 0,
    self: 0,
    own: 0,
    weight: 0,
    rest: 0,
    open: false,
    samples: [],
    children: [],
  };
}

/** Parts a node's samples by their next frame. */
function open(node: Node): void {
  const children = new Map<number, Node>();
  node.open = true;
  for (const s of node.samples) {
    const size = Math.abs(s.value);
    if (s.walk.length === node.depth) {
      node.self += s.value;
      node.own += size;
      continue;
    }
    const frame = s.walk[node.depth];
    let child = children.get(frame);
    if (!child) children.set(frame, (child = makeNode(node, frame)));
    child.samples.push(s);
    child.weight += size;
  }
  node.samples = [];
  node.children = [...children.values()];
}

function close(node: Node): void {
  for (const s of node.samples) {
    if (s.walk.length === node.depth) {
      node.self += s.value;
      node.own += Math.abs(s.value);
    } else node.rest += s.value;
  }
  node.samples = [];
}

/** The heaviest is opened first, so that what is over the limit is the lightest. */
class Heap {
  private readonly list: Node[] = [];
  get size(): number {
    return this.list.length;
  }
  all(): readonly Node[] {
    return this.list;
  }
  push(node: Node): void {
    const { list } = this;
    let at = list.push(node) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (list[up].weight >= node.weight) break;
      list[at] = list[up];
      at = up;
    }
    list[at] = node;
  }
  pop(): Node {
    const { list } = this;
    const first = list[0];
    const node = list.pop() as Node;
    let at = 0;
    for (;;) {
      let next = 2 * at + 1;
      if (next >= list.length) break;
      if (next + 1 < list.length && list[next + 1].weight > list[next].weight) next++;
      if (list[next].weight <= node.weight) break;
      list[at] = list[next];
      at = next;
    }
    if (list.length > 0) list[at] = node;
    return first;
  }
}

/** Each frame's place in the order of names. */
function ranks(f: Frames): Int32Array {
  const order = f.frames.map((_, i) => i);
  const by = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  order.sort((a, b) => {
    const [x, y] = [f.frames[a], f.frames[b]];
    return (
      by(f.names[x.fn], f.names[y.fn]) ||
      by(x.file, y.file) ||
      by(x.module, y.module) ||
      Number(x.inlined) - Number(y.inlined)
    );
  });
  const rank = new Int32Array(order.length);
  order.forEach((frame, i) => (rank[frame] = i));
  return rank;
}

/** How much of the profile has frames that walks step over. */
export function weighLineless(f: Frames, samples: readonly Sample[], type: number): number {
  const some = samples.filter((s) => s.refs.some((ref) => f.lineless[ref]));
  return some.reduce((sum, s) => sum + Math.abs(s.values[type]), 0);
}

export const LEFT_OUT = -2;

export interface FlatTree {
  parent: Int32Array;
  frame: Int32Array;
  self: Float64Array;
  weight: Float64Array | undefined; // where values are negative
  leftOut: number;
}

export interface WalkOptions {
  walk: Walk;
  fn: string;
  type: number;
  limit: number;
}

export function makeTree(f: Frames, samples: readonly Sample[], o: WalkOptions): FlatTree {
  const fn = o.walk === "callers" || o.walk === "callees" ? f.names.indexOf(o.fn) : -1;
  const root = makeNode(undefined, fn < 0 ? -1 : f.frames.findIndex((x) => x.fn === fn));
  let negative = false;
  for (const s of samples) {
    const value = s.values[o.type];
    const walk = value === 0 ? undefined : walkOf(f, s, o.walk, fn);
    if (!walk) continue;
    root.samples.push({ walk, value });
    root.weight += Math.abs(value);
    negative ||= value < 0;
  }
  const waiting = new Heap();
  waiting.push(root);
  let count = 1;
  while (waiting.size > 0 && count + waiting.size < o.limit) {
    const node = waiting.pop();
    open(node);
    count += node.children.length;
    node.children.forEach((c) => waiting.push(c));
  }
  waiting.all().forEach(close);
  return number(root, ranks(f), negative);
}

/** Breadth first, siblings the heaviest first. */
function number(root: Node, rank: Int32Array, negative: boolean): FlatTree {
  const parent: number[] = [0];
  const frame: number[] = [root.frame];
  const self: number[] = [root.self];
  const weight: number[] = [root.own];
  const nodes: (Node | undefined)[] = [root];
  let leftOut = 0;
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i];
    if (!node) continue;
    node.children.sort((a, b) => b.weight - a.weight || rank[a.frame] - rank[b.frame]);
    for (const c of node.children) {
      nodes.push(c);
      parent.push(i);
      frame.push(c.frame);
      self.push(c.self);
      weight.push(c.own);
    }
    if (node.open || node.own === node.weight) continue;
    leftOut++;
    nodes.push(undefined);
    parent.push(i);
    frame.push(LEFT_OUT);
    self.push(node.rest);
    weight.push(node.weight - node.own);
  }
  return {
    parent: Int32Array.from(parent),
    frame: Int32Array.from(frame),
    self: Float64Array.from(self),
    weight: negative ? Float64Array.from(weight) : undefined,
    leftOut,
  };
}
