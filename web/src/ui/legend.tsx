// SPDX-License-Identifier: MIT
//
// What the colours mean: the modules or packages that cost most by themselves.

import { formatPercent } from "../data/format.ts";
import { toneOf } from "../data/module.ts";
import type { Profile } from "../data/profile.ts";

const SHOWN = 6;

const cache = new WeakMap<Profile, [string, number][]>();

/** Groups by the self cost of their functions, the largest first. */
function heaviestGroups(p: Profile): [string, number][] {
  let groups = cache.get(p);
  if (!groups) {
    const sums = new Map<string, number>();
    for (let i = 0; i < p.functionFlat.length; i++) {
      const group = p.functionFrame[i] < 0 ? "" : p.frameGroup[p.functionFrame[i]];
      sums.set(group, (sums.get(group) ?? 0) + Math.abs(p.functionFlat[i]));
    }
    groups = [...sums].sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
    cache.set(p, groups);
  }
  return groups;
}

export function Legend(props: { p: Profile }) {
  const { p } = props;
  return (
    <ul class="legend" aria-label="Colours: self cost by module">
      {heaviestGroups(p).map(([group, self]) => (
        <li key={group}>
          <span class={`swatch tone-${toneOf(group)}`} aria-hidden="true" />
          {group.slice(group.lastIndexOf("/") + 1) || "unknown"}
          <span>{formatPercent(self, p.total)}</span>
        </li>
      ))}
    </ul>
  );
}
