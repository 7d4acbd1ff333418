// SPDX-License-Identifier: MIT
//
// What holds of pprof's settings for a profile: what the address says, else the command line. The
// server does what changes samples and sums; here is what is left to the page: which unit numbers
// are in, and which rows and boxes are not shown.

import { formatIn, formatValue, settleUnit, tableUnit } from "./data/format.ts";
import { isDropped, type Profile } from "./data/profile.ts";
import { isOn, type OptionName } from "./route.ts";
import { route } from "./state.ts";

/** As text; "" where nobody says anything. */
export function setting(p: Profile, name: OptionName): string {
  const given = p.facts.given.find(([parameter]) => parameter === name);
  return route.value.options[name] || (given ? given[1] : "");
}

/** "" where the page may choose, "auto" where each number has its own. */
function askedUnit(p: Profile): string {
  return settleUnit(setting(p, "unit"), p.sampleType.unit);
}

/** "4.56s", in the unit that is asked for. */
export function spellValue(p: Profile, value: number): string {
  const unit = askedUnit(p);
  if (unit === "" || unit === "auto") return formatValue(value, p.sampleType.unit);
  const text = formatIn(value, p.sampleType.unit, unit);
  return text === "0" ? "0" : text + unit;
}

/** One unit for a table: see tableUnit. "auto": none. */
export function unitOf(p: Profile, smallest: number, largest: number): string {
  return askedUnit(p) || tableUnit(smallest, largest, p.sampleType.unit);
}

/** Without the unit, which stands in the table's head; with it where each has its own. */
export function spellIn(p: Profile, value: number, unit: string): string {
  const of = p.sampleType.unit;
  return unit === "auto" ? formatValue(value, of) : formatIn(value, of, unit);
}

/** " (ms)": what a table's head says of it. */
export function unitInHead(unit: string): string {
  return unit && unit !== "auto" ? ` (${unit})` : "";
}

// ---- what is not shown ----

const dropped = new WeakMap<Profile, Uint8Array>();

/** Boxes that -drop_negative leaves out: 1 by node. Undefined: none is. */
export function droppedBoxes(p: Profile): Uint8Array | undefined {
  if (!isOn(setting(p, "dropneg")) || p.tree.width === p.tree.total) return undefined;
  let list = dropped.get(p);
  if (!list) {
    const { self, total } = p.tree;
    dropped.set(p, (list = Uint8Array.from(self, (v, i) => Number(isDropped(v, total[i])))));
  }
  return list;
}
