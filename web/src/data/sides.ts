// SPDX-License-Identifier: MIT
//
// A difference of two profiles: what every box and function had before and after. Boxes are as wide
// as what the larger side has in each of their stacks. "Relative" takes the side before for as
// large as the side after, so that only shares are compared. Pure.

import { layoutTree, sumUp } from "../flame/tree.ts";
import type { Body } from "./columns.ts";
import type { Profile } from "./profile.ts";

export interface Sides {
  before: number; // totals
  after: number;
  scale: number; // by which the side before is multiplied: 1 is absolute
  nodeBefore: Float64Array; // with callees
  nodeAfter: Float64Array;
  functionFlat: Float64Array; // before
  functionCum: Float64Array;
  flatVariance?: Float64Array | undefined; // of the change, by the noise of sampling
  cumVariance?: Float64Array | undefined;
}

function scaled(values: Float64Array, by: number): Float64Array {
  return values.map((v) => v * by);
}

/** Puts the sides into a profile that has both, whose box weights are the sums of magnitudes. */
function divide(p: Profile, self: Float64Array, weight: Float64Array, scale: number) {
  const before = new Float64Array(self.length);
  const after = new Float64Array(self.length);
  const wide = new Float64Array(self.length);
  const change = new Float64Array(self.length);
  for (let i = 0; i < self.length; i++) {
    before[i] = ((weight[i] - self[i]) / 2) * scale;
    after[i] = (weight[i] + self[i]) / 2;
    wide[i] = Math.max(before[i], after[i]);
    change[i] = after[i] - before[i];
  }
  const { parent, frame } = p.tree;
  return {
    tree: layoutTree(parent, frame, change, wide),
    nodeBefore: sumUp(parent, before),
    nodeAfter: sumUp(parent, after),
  };
}

export function addSides(p: Profile, body: Body): Profile {
  const { sides } = p.facts;
  if (!sides || !body.has("node_weight")) return p;
  const self = body.numbers("node_self", p.facts.self_unit);
  const weight = body.numbers("node_weight", p.facts.self_unit);
  const unit = sides.variance_unit;
  const variance = (name: string): Float64Array | undefined =>
    unit === undefined ? undefined : scaled(body.f64(name), unit);
  const flat = scaled(body.f64("function_flat_before"), -1);
  const cum = scaled(body.f64("function_cum_before"), -1);
  const [flatVariance, cumVariance] = [
    variance("function_flat_variance"),
    variance("function_cum_variance"),
  ];
  const at = (scale: number): Profile => {
    const { tree, nodeBefore, nodeAfter } = divide(p, self, weight, scale);
    const change = (now: Float64Array, was: Float64Array): Float64Array =>
      now.map((v, i) => v + was[i] - was[i] * scale);
    const sums = { flat: change(p.functionFlat, flat), cum: change(p.functionCum, cum) };
    return {
      ...p,
      tree,
      functionFlat: sums.flat,
      functionCum: sums.cum,
      functionSums: sums,
      sides: {
        before: sides.before * scale,
        after: sides.after,
        scale,
        nodeBefore,
        nodeAfter,
        functionFlat: scaled(flat, scale),
        functionCum: scaled(cum, scale),
        flatVariance,
        cumVariance,
      },
    };
  };
  let shares: Profile | undefined;
  const whole = at(1);
  whole.asShares = () =>
    (shares ??= at(sides.before > 0 && sides.after > 0 ? sides.after / sides.before : 1));
  return whole;
}

/** The last is what only one side has. */
const STEPS = [0.02, 0.1, 0.3, 0.6, 1];

/** How much of the larger side the change is: -5 (gone) to 5 (new), 0 the same. */
export function changeStep(before: number, after: number): number {
  const larger = Math.max(Math.abs(before), Math.abs(after));
  const part = larger > 0 ? Math.abs(after - before) / larger : 0;
  const step = STEPS.filter((s) => part >= s).length;
  return after < before ? -step : step;
}

/** The complementary error function (Abramowitz and Stegun, 7.1.26): exact to 1.5e-7. */
function erfc(x: number): number {
  const t = 1 / (1 + 0.3275911 * x);
  const sum =
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return sum * Math.exp(-x * x);
}

/** The chance that sampling alone makes as large a change of a function; NaN if it is not known. */
export function noiseP(change: number, variance: number | undefined): number {
  if (variance === undefined || !(variance > 0)) return NaN;
  return erfc(Math.abs(change) / Math.sqrt(2 * variance));
}
