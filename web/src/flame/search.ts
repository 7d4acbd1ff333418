// SPDX-License-Identifier: MIT
//
// What a search finds in a profile. Names are tested once a function; the tree is then gone through
// once, in the order in which it lies in memory.

import { functionNameOf, type Profile } from "../data/profile.ts";

export interface Matches {
  functions: Uint8Array; // 1: the name matches
  functionCount: number;
  /** before[i]: matching nodes of a smaller index: so a run of boxes is asked in one step. */
  before: Int32Array;
  /** Sum of the widths of matching boxes that are not beneath another matching one. */
  weight: number;
  total: number; // the same of their totals
}

/** A regular expression; small letters match capitals too. Undefined if it is none. */
export function searchPattern(text: string): RegExp | undefined {
  try {
    return new RegExp(text, /\p{Lu}/u.test(text) ? "u" : "iu");
  } catch {
    try {
      return new RegExp(text, /\p{Lu}/u.test(text) ? "" : "i");
    } catch {
      return undefined;
    }
  }
}

export function findMatches(p: Profile, pattern: RegExp): Matches {
  const functions = new Uint8Array(p.functionName.length);
  let functionCount = 0;
  for (let i = 0; i < functions.length; i++) {
    if (pattern.test(functionNameOf(p, i))) {
      functions[i] = 1;
      functionCount++;
    }
  }
  const { frameFunction } = p;
  const frameHit = new Uint8Array(frameFunction.length);
  for (let i = 0; i < frameHit.length; i++) frameHit[i] = functions[frameFunction[i]];
  const { count, parent, frame, width, total } = p.tree;
  const before = new Int32Array(count + 1);
  const covered = new Uint8Array(count);
  let hits = 0;
  let weight = 0;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const hit = frame[i] >= 0 ? frameHit[frame[i]] : 0;
    before[i + 1] = hits += hit;
    if (covered[parent[i]]) covered[i] = 1;
    else if (hit) {
      covered[i] = 1;
      weight += width[i];
      sum += total[i];
    }
  }
  return { functions, functionCount, before, weight, total: sum };
}

/** Matching nodes not beneath another one, the widest first; for going from match to match. */
export function matchStops(p: Profile, m: Matches): Int32Array {
  const { count, parent, width } = p.tree;
  const covered = new Uint8Array(count);
  const stops: number[] = [];
  for (let i = 1; i < count; i++) {
    if (covered[parent[i]]) covered[i] = 1;
    else if (m.before[i + 1] > m.before[i]) {
      covered[i] = 1;
      stops.push(i);
    }
  }
  return Int32Array.from(stops).sort((a, b) => width[b] - width[a] || a - b);
}
