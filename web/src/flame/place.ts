// SPDX-License-Identifier: MIT
//
// Names for places in a tree which last longer than indexes: a hash of the names on the way from
// the root. So a link finds its box again with another sample type, after a merge, on another
// machine.

import { frameModuleName, frameName, type Profile } from "../data/profile.ts";
import { isAncestor, pathTo, spanOf, type Span } from "./tree.ts";

function hashString(seed: number, text: string): number {
  let h = seed;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h ^= h >>> 15;
  return Math.imul(h, 0x2c1b3c6d) >>> 0;
}

function step(parent: number, frame: number): number {
  let h = Math.imul(parent ^ frame, 0x297a2d39);
  h = Math.imul(h ^ (h >>> 15) ^ 0x5bd1e995, 0x1b873593);
  return (h ^ (h >>> 13)) >>> 0;
}

interface FrameHashes {
  a: Uint32Array;
  b: Uint32Array;
}

const cache = new WeakMap<Profile, FrameHashes>();

/** Two lanes of 32 bits: a million places collide with probability 3e-8. */
function frameHashes(p: Profile): FrameHashes {
  let hashes = cache.get(p);
  if (!hashes) {
    const n = p.frameFunction.length;
    hashes = { a: new Uint32Array(n), b: new Uint32Array(n) };
    for (let i = 0; i < n; i++) {
      const text = [
        frameName(p, i),
        p.facts.strings[p.frameFile[i]],
        frameModuleName(p, i),
        p.frameInlined[i],
      ].join("\n");
      hashes.a[i] = hashString(0x811c9dc5, text);
      hashes.b[i] = hashString(0x9747b28c, text);
    }
    cache.set(p, hashes);
  }
  return hashes;
}

function laneOf(lane: Uint32Array, frame: number): number {
  return frame < 0 ? 0x7feb352d : lane[frame];
}

function spell(a: number, b: number): string {
  return a.toString(36).padStart(7, "0") + b.toString(36).padStart(7, "0");
}

/** Places that were given out: a walk from box to box should not search the tree each time. */
const known = new WeakMap<Profile, Map<string, number>>();

function remember(p: Profile, place: string, node: number): string {
  let places = known.get(p);
  if (!places) known.set(p, (places = new Map()));
  places.set(place, node);
  return place;
}

export function placeOf(p: Profile, node: number): string {
  if (node <= 0) return "";
  const { a, b } = frameHashes(p);
  let ha = 0;
  let hb = 0;
  for (const n of pathTo(p.tree, node).slice(1)) {
    ha = step(ha, laneOf(a, p.tree.frame[n]));
    hb = step(hb, laneOf(b, p.tree.frame[n]));
  }
  return remember(p, spell(ha, hb), node);
}

/** The node of a place, -1 if this profile has none. One pass over the tree. */
export function findPlace(p: Profile, place: string): number {
  if (!/^[0-9a-z]{14}$/.test(place)) return -1;
  const before = known.get(p)?.get(place);
  if (before !== undefined) return before;
  const wantA = parseInt(place.slice(0, 7), 36);
  const wantB = parseInt(place.slice(7), 36);
  const { a, b } = frameHashes(p);
  const { count, parent, frame } = p.tree;
  const ha = new Uint32Array(count);
  const hb = new Uint32Array(count);
  for (let i = 1; i < count; i++) {
    ha[i] = step(ha[parent[i]], laneOf(a, frame[i]));
    hb[i] = step(hb[parent[i]], laneOf(b, frame[i]));
    if (ha[i] === wantA && hb[i] === wantB) {
      remember(p, place, i);
      return i;
    }
  }
  remember(p, place, -1);
  return -1;
}

/**
 * What is zoomed to, as it stands in the URL: "" is everything, a place is a box, two places joined
 * by "-" are the ends of a run of small boxes, and "@from,to" a free window in parts of the whole.
 */
export interface Zoom {
  node: number; // the box, or the ancestor of all that is in view
  span: Span;
}

export function readZoom(p: Profile, text: string): Zoom {
  const { tree } = p;
  const everything = { node: 0, span: spanOf(tree, 0) };
  const free = /^@([\d.]+),([\d.]+)$/.exec(text);
  if (free) {
    const from = Math.min(Math.max(Number(free[1]), 0), 1);
    const to = Math.min(Math.max(Number(free[2]), 0), 1);
    const w = tree.width[0];
    return to > from ? { node: 0, span: { from: from * w, to: to * w } } : everything;
  }
  const [first, last = first] = text.split("-").map((place) => findPlace(p, place));
  if (!text || first < 0 || last < 0) return everything;
  if (first === last) return { node: first, span: spanOf(tree, first) };
  let node = Math.min(first, last);
  while (!(isAncestor(tree, node, first) && isAncestor(tree, node, last))) node = tree.parent[node];
  return { node, span: spanOf(tree, first, last) };
}

export function writeRun(p: Profile, first: number, last: number): string {
  return `${placeOf(p, first)}-${placeOf(p, last)}`;
}

export function writeSpan(p: Profile, span: Span): string {
  const w = p.tree.width[0];
  if (span.from <= 0 && span.to >= w) return "";
  const part = (v: number): string => String(Number((v / w).toPrecision(12)));
  return `@${part(span.from)},${part(span.to)}`;
}
