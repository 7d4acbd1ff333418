// SPDX-License-Identifier: MIT
//
// What the colours mean: the modules, packages or files that cost most by themselves, each a menu
// of what can be done with all of it; or the steps of self cost.

import { formatPercent } from "../data/format.ts";
import { spellValue } from "../settings.ts";
import { toneOf } from "../data/module.ts";
import { fileNamed, quotePattern } from "../data/pattern.ts";
import type { Profile } from "../data/profile.ts";
import type { Sides } from "../data/sides.ts";
import { changeName, groupOf, HEAT_STEPS } from "../flame/palette.ts";
import type { ColourMode, RefinementKind } from "../route.ts";
import { addRefinement, route } from "../state.ts";
import { openMenuBelow } from "./menu.tsx";

const SHOWN = 8;

interface Group {
  name: string;
  self: number;
  pattern: string; // "" if none means it
}

const cache = new WeakMap<Profile, Map<ColourMode, Group[]>>();

/** A package's functions begin with its name; a binary is found by its file. */
function patternOf(p: Profile, fn: number, name: string, mode: ColourMode): string {
  const frame = p.functionFrame[fn];
  if (!name || frame < 0) return "";
  const module = p.facts.strings[p.frameModule[frame]];
  const isPackage = mode === "module" && !module.endsWith(name);
  return isPackage ? `^${quotePattern(name)}\\.` : fileNamed(name);
}

/** Groups by the self cost of their functions, the largest first. */
function heaviestGroups(p: Profile, mode: ColourMode): Group[] {
  let modes = cache.get(p);
  if (!modes) cache.set(p, (modes = new Map()));
  let groups = modes.get(mode);
  if (!groups) {
    const byName = new Map<string, Group>();
    for (let i = 0; i < p.functionFlat.length; i++) {
      const name = groupOf(p, p.functionFrame[i], mode);
      let group = byName.get(name);
      if (!group)
        byName.set(name, (group = { name, self: 0, pattern: patternOf(p, i, name, mode) }));
      group.self += Math.abs(p.functionFlat[i]);
    }
    groups = [...byName.values()]
      .filter((g) => g.self > 0)
      .sort((a, b) => b.self - a.self)
      .slice(0, SHOWN);
    modes.set(mode, groups);
  }
  return groups;
}

const kinds: { label: string; kind: RefinementKind }[] = [
  { label: "Focus", kind: "f" },
  { label: "Ignore", kind: "i" },
  { label: "Hide", kind: "h" },
];

function GroupItem(props: { p: Profile; group: Group; mode: ColourMode }) {
  const { p, group, mode } = props;
  const { name, pattern } = group;
  const inside = (
    <>
      <span class={`swatch tone-${toneOf(name)}`} aria-hidden="true" />
      {name.slice(name.lastIndexOf("/") + 1) || "unknown"}{" "}
      {!p.divisors && <span>{formatPercent(group.self, p.total)}</span>}
    </>
  );
  if (!pattern) return <li class="legend-item">{inside}</li>;
  return (
    <li>
      <button
        type="button"
        class="legend-item"
        aria-haspopup="menu"
        title={`${name}: focus, ignore or hide this ${mode}`}
        onClick={(e) => {
          const items = kinds.map(({ label, kind }) => ({
            label,
            act: () => addRefinement({ kind, value: pattern }),
          }));
          openMenuBelow({ title: name, items }, e.currentTarget);
        }}
      >
        {inside}
      </button>
    </li>
  );
}

function heatLabel(step: number): string {
  return step === 0 ? `under ${HEAT_STEPS[0] * 100}%` : `from ${HEAT_STEPS[step - 1] * 100}%`;
}

/** The steps of warmth, and what they are the share of. */
export function HeatLegend(props: { of: string }) {
  return (
    <ul class="legend" aria-label={`Colours: ${props.of}`}>
      {[...HEAT_STEPS, 1].map((_, i) => (
        <li key={i} class="legend-item">
          <span class={`swatch heat-${i}`} aria-hidden="true" />
          {heatLabel(i)}
        </li>
      ))}
    </ul>
  );
}

const changeWords: Record<number, string> = {
  [-5]: "gone",
  [-3]: "less",
  0: "same",
  3: "more",
  5: "new",
};

/** The totals of both sides of a difference, and what its colours say. */
export function SidesLegend(props: { p: Profile; sides: Sides }) {
  const { p, sides } = props;
  const change = sides.after - sides.before;
  const before = `${spellValue(p, sides.before)}${sides.scale === 1 ? "" : " (scaled)"}`;
  const part = sides.before > 0 ? ` (${formatPercent(change, sides.before)})` : "";
  const sign = change > 0 ? "+" : "";
  return (
    <ul class="legend" aria-label="Colours: less, the same, more">
      <li class="legend-item legend-sides">
        {`${before} before, ${spellValue(p, sides.after)} after: `}
        {change === 0 ? "no change" : `${sign}${spellValue(p, change)}${part}`}
      </li>
      {(route.value.view === "graph" ? [-3, 0, 3] : [-5, -3, 0, 3, 5]).map((step) => (
        <li key={step} class="legend-item">
          <span
            class="swatch swatch-change"
            style={{ background: `var(${changeName(step)})` }}
            aria-hidden="true"
          />
          {changeWords[step] ?? ""}
        </li>
      ))}
    </ul>
  );
}

export function Legend(props: { p: Profile }) {
  const { p } = props;
  if (p.sides) return <SidesLegend p={p} sides={p.sides} />;
  const mode = route.value.colour;
  if (mode === "self") return <HeatLegend of="self cost of the function" />;
  return (
    <ul class="legend" aria-label={`Colours: self cost by ${mode}`}>
      {heaviestGroups(p, mode).map((group) => (
        <GroupItem key={group.name} p={p} group={group} mode={mode} />
      ))}
    </ul>
  );
}
