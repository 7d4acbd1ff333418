// SPDX-License-Identifier: MIT
//
// The rows of the top table: which functions, in which order, in which unit. Pure.

import { tableUnit } from "../data/format.ts";
import { functionNameOf, type Profile } from "../data/profile.ts";
import type { Matches } from "../flame/search.ts";
import type { SortKey } from "../route.ts";

/** Functions that match, sorted; equal ones as in pprof: by the other number, then by name. */
export function topRows(
  p: Profile,
  matches: Matches | undefined,
  sort: SortKey,
  reversed: boolean,
): Int32Array {
  const rows: number[] = [];
  for (let i = 0; i < p.functionName.length; i++)
    if ((!matches || matches.functions[i]) && (p.functionCum[i] !== 0 || p.functionFlat[i] !== 0))
      rows.push(i);
  const { functionFlat: flat, functionCum: cum } = p;
  const byName = (a: number, b: number): number => {
    const [x, y] = [functionNameOf(p, a), functionNameOf(p, b)];
    return x < y ? -1 : x > y ? 1 : 0;
  };
  const by = (first: Float64Array, second: Float64Array) => (a: number, b: number) =>
    Math.abs(first[b]) - Math.abs(first[a]) ||
    Math.abs(second[b]) - Math.abs(second[a]) ||
    byName(a, b);
  const compare = { flat: by(flat, cum), cum: by(cum, flat), name: byName }[sort];
  const sign = reversed ? -1 : 1;
  return Int32Array.from(rows.sort((a, b) => sign * compare(a, b)));
}

/** The unit `strobe top` would choose: of what is at least half a percent of the total. */
export function topUnit(p: Profile): string {
  let smallest = Infinity;
  for (let i = 0; i < p.functionName.length; i++) {
    const flat = Math.abs(p.functionFlat[i]);
    const cum = Math.abs(p.functionCum[i]);
    const value = flat || cum;
    if (value > 0 && cum >= p.total * 0.005) smallest = Math.min(smallest, value);
  }
  return tableUnit(Number.isFinite(smallest) ? smallest : p.total, p.total, p.sampleType.unit);
}
