// SPDX-License-Identifier: MIT
//
// Which functions Source, Peek and Disasm are about: the chosen one; else, as on pprof's pages,
// what is focused on; else the one that costs most by itself.

import { exactly } from "../data/pattern.ts";
import { functionNameOf, type Profile } from "../data/profile.ts";
import { route } from "../state.ts";

export interface Subject {
  name: string; // of one function, or ""
  re: string; // what matches it, or them
}

export function subjectOf(p: Profile): Subject {
  const { selected, refine } = route.value;
  if (selected) return { name: selected, re: exactly(selected) };
  const focus = refine.find((r) => r.kind === "f");
  if (focus) return { name: "", re: focus.value };
  let best = -1;
  for (let i = 0; i < p.functionFlat.length; i++)
    if (best < 0 || Math.abs(p.functionFlat[i]) > Math.abs(p.functionFlat[best])) best = i;
  const name = best < 0 ? "" : functionNameOf(p, best);
  return { name, re: exactly(name) };
}
