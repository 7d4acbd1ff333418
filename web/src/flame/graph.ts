// SPDX-License-Identifier: MIT
//
// A profile's tree as a view shows it: what is zoomed to, chosen and found in it. A page has one,
// or two beside each other for callers and callees; their state is in the route, so that these are
// only ways to read it.

import { computed, type ReadonlySignal } from "@preact/signals";
import { findFunction, type Profile } from "../data/profile.ts";
import { pattern, route } from "../state.ts";
import { findPlace, readZoom, type Zoom } from "./place.ts";
import { findMatches, type Matches } from "./search.ts";
import { heaviestNode } from "./tree.ts";

export type ZoomField = "zoom" | "zoomCallers" | "zoomCallees";

export interface Graph {
  p: Profile;
  field: ZoomField; // of the route
  upwards: ReadonlySignal<boolean>; // the root is at the bottom
  zoom: ReadonlySignal<Zoom>;
  /** The box the keyboard is at; the root if there is none. */
  chosen: ReadonlySignal<number>;
  chosenFunction: ReadonlySignal<number>; // or -1
  matches: ReadonlySignal<Matches | undefined>;
}

/** The heaviest box of a function, 0 if it has none. */
export function boxOfFunction(p: Profile, fn: number): number {
  return fn < 0 ? 0 : heaviestNode(p.tree, (frame) => p.frameFunction[frame] === fn);
}

export function makeGraph(p: Profile, field: ZoomField, upwards: ReadonlySignal<boolean>): Graph {
  const zoomText = computed(() => route.value[field]);
  const at = computed(() => route.value.at);
  const selected = computed(() => route.value.selected);
  const chosenFunction = computed(() => (selected.value ? findFunction(p, selected.value) : -1));
  return {
    p,
    field,
    upwards,
    zoom: computed(() => readZoom(p, zoomText.value)),
    chosen: computed(() => {
      const node = findPlace(p, at.value);
      return node >= 0 ? node : boxOfFunction(p, chosenFunction.value);
    }),
    chosenFunction,
    matches: computed(() => (pattern.value ? findMatches(p, pattern.value) : undefined)),
  };
}
