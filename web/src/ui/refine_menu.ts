// SPDX-License-Identifier: MIT
//
// pprof's menu Refine: of what is searched for, else of the chosen function. Focus, show and show
// from take the place of what was asked for before, ignore and hide go on to what they already do;
// reset takes all back, settings too.

import { functionPattern } from "../data/pattern.ts";
import { findFunction, type Profile } from "../data/profile.ts";
import { searchAsPattern } from "../flame/actions.ts";
import type { RefinementKind } from "../route.ts";
import { navigate, pattern, query, route } from "../state.ts";
import type { MenuItem } from "./menu.tsx";

const kinds: { label: string; kind: RefinementKind; replaces: boolean }[] = [
  { label: "Focus", kind: "f", replaces: true },
  { label: "Ignore", kind: "i", replaces: false },
  { label: "Hide", kind: "h", replaces: false },
  { label: "Show", kind: "s", replaces: true },
  { label: "Show from", kind: "sf", replaces: true },
];

/** What the menu is about, "" if nothing. */
function subject(p: Profile): string {
  if (query.peek()) return pattern.peek() ? searchAsPattern() : "";
  const { selected } = route.peek();
  const fn = selected ? findFunction(p, selected) : -1;
  return fn >= 0 ? functionPattern(p, fn) : "";
}

const afresh = { zoom: "", zoomCallers: "", zoomCallees: "", at: "" };

export function refineItems(p: Profile): MenuItem[] {
  const value = subject(p);
  const items: MenuItem[] = kinds.map(({ label, kind, replaces }) => ({
    label,
    disabled: value === "",
    act: () => {
      const { refine } = route.peek();
      const others = refine.filter((r) => !(r.kind === kind && (replaces || r.value === value)));
      navigate({ refine: [...others, { kind, value }], query: "", ...afresh }, "push");
    },
  }));
  items[0].section = value ? "Refine" : "Refine: search, or choose a function";
  items.push({
    label: "Reset",
    act: () =>
      navigate(
        { refine: [], options: {}, sampleType: "", query: "", sort: "flat", ...afresh },
        "push",
      ),
  });
  return items;
}
