// SPDX-License-Identifier: MIT
//
// The rows of the top table: which functions, in which order, in which unit. Pure.

import { functionNameOf, isDropped, type Profile } from "../data/profile.ts";
import type { Matches } from "../flame/search.ts";
import { isOn, type OptionName, type SortKey } from "../route.ts";

/** As their bytes in UTF-8: halves of pairs are of letters behind all others. */
function compareText(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return inOrder(x) - inOrder(y);
  }
  return a.length - b.length;
}

function inOrder(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

type Compare = (a: number, b: number) => number;

/** pprof's orders (internal/graph, SortNodes): equal ones by name, then by the other number. */
function orders(p: Profile): Record<SortKey, Compare> {
  const { flat, cum } = p.functionSums;
  const byName: Compare = (a, b) => compareText(functionNameOf(p, a), functionNameOf(p, b));
  const by =
    (first: Float64Array, second: Float64Array): Compare =>
    (a, b) =>
      Math.abs(first[b]) - Math.abs(first[a]) ||
      byName(a, b) ||
      Math.abs(second[b]) - Math.abs(second[a]);
  return { flat: by(flat, cum), cum: by(cum, flat), name: byName };
}

export interface TopLimits {
  asked: boolean; // somebody says which rows there are
  fraction: number; // of what all rows cost by themselves; lighter ones are left out
  count: number; // 0: all
  dropsNegative: boolean;
}

/** pprof's page of its top has at most so many rows, whatever nodecount says. */
const TOP_ROWS = 500;

/** What settings ask for; where they ask for nothing, all there is. */
export function topLimits(setting: (name: OptionName) => string): TopLimits {
  const dropsNegative = isOn(setting("dropneg"));
  const [trim, fraction] = [setting("trim"), setting("nf")];
  const asked = fraction !== "" || setting("n") !== "" || trim !== "";
  const cuts = asked && (trim === "" || isOn(trim));
  return {
    asked,
    fraction: !cuts ? 0 : fraction === "" ? 0.005 : Number(fraction),
    count: cuts ? TOP_ROWS : 0,
    dropsNegative,
  };
}

export interface TopTableRows {
  all: Int32Array; // before the search, in pprof's order
  left_out: number; // rows that are too light or too many
  cutoff: number; // what is lighter than this with callees is left out
  smallest: number; // a value that the unit of all has to suit
}

/** What `strobe top` would show with these limits (report.go, newTrimmedGraph). */
export function topTable(p: Profile, limits: TopLimits, byCum: boolean): TopTableRows {
  const { flat, cum } = p.functionSums;
  const some: number[] = [];
  let sum = 0;
  for (let i = 0; i < p.functionName.length; i++) {
    if (cum[i] === 0 && flat[i] === 0) continue;
    if (limits.dropsNegative && isDropped(flat[i], cum[i])) continue;
    some.push(i);
    sum += flat[i];
  }
  const cutoff = Math.abs(Math.trunc(sum * limits.fraction));
  const compare = orders(p)[byCum ? "cum" : "flat"];
  const kept = some.filter((i) => Math.abs(cum[i]) >= cutoff).sort(compare);
  const all = Int32Array.from(limits.count > 0 ? kept.slice(0, limits.count) : kept);
  const smallest = smallestOf(p, all, limits.asked ? 0 : 0.005);
  return { all, left_out: some.length - all.length, cutoff, smallest };
}

/** Of what is at least that part of the total. */
function smallestOf(p: Profile, rows: Int32Array, least: number): number {
  let smallest = Infinity;
  for (const i of rows) {
    const cum = Math.abs(p.functionCum[i]);
    const value = Math.abs(p.functionFlat[i]) || cum;
    if (value > 0 && cum >= p.valueTotal * least) smallest = Math.min(smallest, value);
  }
  return Number.isFinite(smallest) ? smallest : p.valueTotal;
}

/** Rows that match, in the order that is asked for. */
export function topRows(
  p: Profile,
  table: TopTableRows,
  matches: Matches | undefined,
  sort: SortKey,
  reversed: boolean,
): Int32Array {
  const rows = table.all.filter((i) => !matches || matches.functions[i]);
  const sign = reversed ? -1 : 1;
  const compare = orders(p)[sort];
  return rows.sort((a, b) => sign * compare(a, b));
}
