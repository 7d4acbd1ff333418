// SPDX-License-Identifier: MIT
//
// What the menu of a function offers, wherever it is named.

import { functionPattern } from "../data/pattern.ts";
import { functionNameOf, type Profile } from "../data/profile.ts";
import { boxOfFunction } from "../flame/graph.ts";
import { placeOf } from "../flame/place.ts";
import type { RefinementKind, View } from "../route.ts";
import { addRefinement, navigate, openCalls, route } from "../state.ts";
import { trendSource } from "../tree/trend.ts";
import type { Menu, MenuItem } from "./menu.tsx";

/** Makes a function the chosen one in all views; its heaviest box in those of boxes. */
export function chooseFunction(p: Profile, fn: number): void {
  const at = placeOf(p, boxOfFunction(p, fn));
  navigate({ selected: functionNameOf(p, fn), at }, "replace");
}

const places: { view: View; label: string; key?: string }[] = [
  { view: "flame", label: "Show in the flame graph", key: "t" },
  { view: "graph", label: "Show in the call graph", key: "g" },
  { view: "source", label: "Source", key: "s" },
];

/** `enter`: the key that opens its callers where the menu stands. */
export function functionMenu(p: Profile, fn: number, enter = "c"): Menu {
  const name = functionNameOf(p, fn);
  const value = functionPattern(p, fn);
  const refine = (label: string, key: string, kind: RefinementKind): MenuItem => ({
    label,
    key,
    act: () => addRefinement({ kind, value }, { selected: name, at: "" }),
  });
  const trends = trendSource.peek();
  const items: MenuItem[] = [
    { label: "Callers and callees", key: enter, act: () => openCalls(name) },
    ...(trends ? [{ label: "Trend", key: "l", act: () => trends.open(name) }] : []),
    ...places
      .filter(({ view }) => view !== route.peek().view)
      .map(({ view, ...item }) => ({
        ...item,
        act: () => {
          chooseFunction(p, fn);
          navigate({ view }, "push");
        },
      })),
    { label: "Copy name", key: "y", act: () => void navigator.clipboard?.writeText(name) },
  ];
  if (value !== "")
    items.push(
      refine("Focus", "f", "f"),
      refine("Ignore", "i", "i"),
      refine("Hide", "h", "h"),
      refine("Show from", "", "sf"),
    );
  return { title: name, items };
}
