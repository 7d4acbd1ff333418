// SPDX-License-Identifier: MIT
//
// What changed, and how sure that is. A function's share in the profiles that are looked at is put
// beside its share in those before. p is the chance that a random division of the same profiles
// differs as much (a permutation test, which supposes nothing of how shares are distributed and
// holds for one profile as for many). Pure.

export interface Trend {
  shares: (number | null)[]; // by bucket; null: no profile there
  split: number; // the first bucket of what is looked at
  before: number; // share of the profiles before, and after
  after: number;
  beforeCount: number; // buckets with profiles
  afterCount: number;
  p: number; // NaN where one side is empty
}

const ROUNDS = 2000;

/** A generator of numbers in [0, 1) that gives every reader of a page the same p (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function share(value: number, total: number): number {
  return total === 0 ? 0 : value / total;
}

function waysToChoose(n: number, k: number, most: number): number {
  let ways = 1;
  for (let i = 1; i <= k && ways <= most; i++) ways = (ways * (n - k + i)) / i;
  return Math.round(ways);
}

/** Calls `each` with every choice of k of n numbers; the array is used again. */
function eachChoice(n: number, k: number, each: (chosen: number[]) => void): void {
  const chosen = Array.from({ length: k }, (_, i) => i);
  for (;;) {
    each(chosen);
    let i = k - 1;
    while (i >= 0 && chosen[i] === n - k + i) i--;
    if (i < 0) return;
    chosen[i]++;
    for (let j = i + 1; j < k; j++) chosen[j] = chosen[j - 1] + 1;
  }
}

/** Shuffles the first k places of `order`. */
function draw(order: number[], k: number, next: () => number): void {
  for (let i = 0; i < k; i++) {
    const j = i + Math.floor(next() * (order.length - i));
    [order[i], order[j]] = [order[j], order[i]];
  }
}

interface Bucket {
  value: number;
  total: number;
}

/** How often a choice of `k` buckets differs from the others at least as much as the last k do. */
export function permutationP(list: readonly Bucket[], k: number, rounds = ROUNDS): number {
  const n = list.length;
  if (k < 1 || k >= n) return NaN;
  const sum = list.reduce((s, b) => ({ value: s.value + b.value, total: s.total + b.total }));
  const difference = (chosen: readonly number[]): number => {
    let value = 0;
    let total = 0;
    for (let i = 0; i < k; i++) {
      value += list[chosen[i]].value;
      total += list[chosen[i]].total;
    }
    return Math.abs(share(value, total) - share(sum.value - value, sum.total - total));
  };
  const seen = difference(Array.from({ length: k }, (_, i) => n - k + i)) * (1 - 1e-9);
  let as = 0;
  let all = 0;
  if (waysToChoose(n, Math.min(k, n - k), rounds) <= rounds) {
    eachChoice(n, k, (chosen) => {
      all++;
      if (difference(chosen) >= seen) as++;
    });
    return as / all;
  }
  const next = numbers(n * 65537 + k);
  const order = Array.from({ length: n }, (_, i) => i);
  for (all = 1, as = 1; all <= rounds; all++) {
    draw(order, k, next);
    if (difference(order) >= seen) as++;
  }
  return as / all;
}

/** Buckets before `split` are the profiles before; totals of 0 are buckets without profiles. */
export function makeTrend(values: readonly number[], totals: readonly number[], split: number) {
  const list: Bucket[] = [];
  const sums = [
    { value: 0, total: 0, count: 0 },
    { value: 0, total: 0, count: 0 },
  ];
  const shares = totals.map((total, i) => {
    if (total === 0) return null;
    const side = sums[i < split ? 0 : 1];
    list.push({ value: values[i], total });
    side.value += values[i];
    side.total += total;
    side.count++;
    return share(values[i], total);
  });
  const [before, after] = sums;
  const t: Trend = {
    shares,
    split,
    before: share(before.value, before.total),
    after: share(after.value, after.total),
    beforeCount: before.count,
    afterCount: after.count,
    p: permutationP(list, after.count),
  };
  return t;
}

/** Which of many p are significant when at most one in twenty of those may be so by chance
 * (Benjamini and Hochberg, 1995). */
export function significant(ps: readonly number[]): boolean[] {
  const known = ps.filter((p) => !Number.isNaN(p)).sort((a, b) => a - b);
  let limit = -1;
  known.forEach((p, i) => {
    if (p <= (0.05 * (i + 1)) / known.length) limit = p;
  });
  return ps.map((p) => p <= limit);
}

/** "+8.2", "−0.3": percentage points. */
export function formatPoints(change: number): string {
  const text = Math.abs(change * 100).toFixed(1);
  return text === "0.0" ? "0" : `${change < 0 ? "−" : "+"}${text}`;
}

/** "p = 0.001", "p < 0.001" */
export function formatP(p: number): string {
  if (Number.isNaN(p)) return "";
  return p < 0.001 ? "p < 0.001" : `p = ${p < 0.1 ? p.toFixed(3) : p.toFixed(2)}`;
}
