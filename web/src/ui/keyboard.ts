// SPDX-License-Identifier: MIT
//
// Keys that work wherever the focus is, except in fields. What a key does is in actions.ts.

import { useEffect } from "preact/hooks";
import {
  activeGraph,
  chosenFunction,
  helpOpen,
  invert,
  navigate,
  openCalls,
  profile,
  query,
  route,
  search,
} from "../state.ts";
import {
  copyName,
  copyStack,
  refineChosen,
  resetZoom,
  stepMatch,
  zoomOut,
} from "../flame/actions.ts";

function isField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.matches("input, select, textarea") || target.closest("dialog") !== null)
  );
}

function focusSearch(): void {
  const field = document.getElementById("search");
  if (field instanceof HTMLInputElement) {
    field.focus();
    field.select();
  }
}

/** One level up of whatever is refined last: zoom, search, selection. */
function escape(): void {
  const g = activeGraph.value;
  const drawn = route.value.view === "flame" || route.value.view === "calls";
  if (g && drawn && zoomOut(g)) return;
  if (query.value) search("");
  else if (chosenFunction.value) navigate({ selected: "", at: "" }, "push");
}

/** Keys that a page has besides. */
export const pageKeys: Record<string, { what: string; act: () => void }> = {};

const actions: Record<string, () => void> = {
  "/": focusSearch,
  "?": () => (helpOpen.value = true),
  "0": resetZoom,
  t: () => navigate({ view: route.value.view === "top" ? "flame" : "top" }, "push"),
  r: () => navigate({ view: route.value.view === "tree" ? "flame" : "tree" }, "push"),
  g: () => navigate({ view: route.value.view === "graph" ? "flame" : "graph" }, "push"),
  s: () => navigate({ view: route.value.view === "source" ? "flame" : "source" }, "push"),
  d: () => {
    if (profile.value?.sides) navigate({ relative: !route.value.relative }, "push");
  },
  a: () => navigate({ assembly: !route.value.assembly }, "push"),
  c: () => openCalls(),
  f: () => refineChosen("f"),
  i: () => refineChosen("i"),
  h: () => refineChosen("h"),
  v: invert,
  o: () => navigate({ upwards: !route.value.upwards }, "push"),
  n: () => stepMatch(1),
  N: () => stepMatch(-1),
  y: copyName,
  Y: copyStack,
  Escape: escape,
};

export function useKeyboard(): void {
  useEffect(() => {
    function onKey(e: KeyboardEvent): void {
      if (e.ctrlKey || e.metaKey || e.altKey || isField(e.target) || helpOpen.value) return;
      const action = pageKeys[e.key]?.act ?? actions[e.key];
      if (!action) return;
      e.preventDefault();
      action();
    }
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
