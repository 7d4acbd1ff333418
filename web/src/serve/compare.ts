// SPDX-License-Identifier: MIT
//
// What is compared with what: ranges cut into buckets of one length, some before and some of what
// is looked at, so that the cut lies between two buckets. Pure.

import type { Window } from "./place.ts";

/** A range in buckets, of which those from `split` on are what is looked at. */
export interface Comparison {
  from: number;
  until: number;
  step: number;
  split: number;
}

const BUCKETS = 30; // on either side
export const EARLIER = 30; // profiles that one profile is compared with

/** `first` is the time of the oldest profile there is. */
export function compareRange(w: Window, first: number): Comparison {
  const halves = first >= w.from;
  const from = halves ? Math.min(first, w.until - 2) : w.from;
  const middle = halves ? from + Math.floor((w.until - from) / 2) : from;
  const step = Math.max(1, Math.ceil((w.until - middle) / BUCKETS));
  return { from: middle - BUCKETS * step, until: w.until, step, split: BUCKETS };
}

/** One profile at `w.from`, with those at `times` before it. */
export function compareOne(w: Window, times: readonly number[]): Comparison {
  const oldest = Math.min(...times, w.from - 1);
  const buckets = 6 * EARLIER;
  const step = Math.max(w.until - w.from, Math.ceil((w.from - oldest) / buckets));
  return { from: w.from - buckets * step, until: w.until, step, split: buckets };
}
