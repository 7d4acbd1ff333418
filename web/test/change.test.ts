// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatP, formatPoints, makeTrend, permutationP, significant } from "../src/data/change.ts";
import { compareOne, compareRange } from "../src/serve/compare.ts";
import { fits, formatMatches, makeQuery, parseMatches } from "../src/serve/matches.ts";
import { sortKinds } from "../src/serve/place.ts";

function buckets(...shares: number[]) {
  return shares.map((s) => ({ value: s * 1000, total: 1000 }));
}

test("p is the share of all divisions that differ as much", () => {
  assert.equal(permutationP(buckets(0, 0, 0, 1), 1), 1 / 4);
  assert.equal(permutationP(buckets(0, 0, 1, 1), 2), 2 / 6);
  assert.equal(permutationP(buckets(0.5, 0.5, 0.5, 0.5), 2), 1);
  assert.ok(Number.isNaN(permutationP(buckets(0.5, 0.6), 2)));
  assert.ok(Number.isNaN(permutationP([], 0)));
});

test("of many profiles p is estimated, and the same each time", () => {
  const wave = Array.from({ length: 60 }, (_, i) => 0.2 + 0.01 * Math.sin(i * 1.7));
  const same = permutationP(buckets(...wave), 30);
  assert.ok(same > 0.05);
  assert.equal(same, permutationP(buckets(...wave), 30));
  const moved = wave.map((s, i) => (i < 30 ? s : s + 0.05));
  assert.ok(permutationP(buckets(...moved), 30) < 0.001);
});

test("random profiles are called significant one time in twenty", () => {
  let state = 7;
  const next = () => ((state = (state * 48271) % 2147483647), state / 2147483647);
  let found = 0;
  const rounds = 300;
  for (let i = 0; i < rounds; i++)
    if (permutationP(buckets(...Array.from({ length: 14 }, next)), 6, 400) < 0.05) found++;
  assert.ok(found > rounds * 0.01 && found < rounds * 0.1, `${found} of ${rounds}`);
});

test("a trend is the shares by bucket and the change between the sides", () => {
  const t = makeTrend([1, 0, 3, 9], [10, 0, 10, 30], 2);
  assert.deepEqual(t.shares, [0.1, null, 0.3, 0.3]);
  assert.deepEqual([t.before, t.after], [0.1, 0.3]);
  assert.deepEqual([t.beforeCount, t.afterCount], [1, 2]);
  assert.equal(t.p, 1 / 3);
  assert.ok(Number.isNaN(makeTrend([0, 1], [0, 5], 1).p));
});

test("among many functions, those that only chance put there are not called changed", () => {
  assert.deepEqual(significant([0.001, 0.04, 0.5, NaN]), [true, false, false, false]);
  assert.deepEqual(significant([0.01, 0.02, 0.04]), [true, true, true]);
  assert.deepEqual(significant([]), []);
});

test("changes are points with a sign, and p has no false precision", () => {
  assert.equal(formatPoints(0.0824), "+8.2");
  assert.equal(formatPoints(-0.031), "−3.1");
  assert.equal(formatPoints(0.0001), "0");
  assert.equal(formatP(0.0004), "p < 0.001");
  assert.equal(formatP(0.012), "p = 0.012");
  assert.equal(formatP(0.5), "p = 0.50");
  assert.equal(formatP(NaN), "");
});

test("the cut of a comparison is where the buckets of the selection begin", () => {
  for (const [c, from, until] of [
    [compareRange({ from: 3_600_000, until: 7_200_000 }, 0), 3_600_000, 7_200_000],
    [
      compareOne({ from: 9_000_000, until: 9_000_001 }, [8_000_000, 8_500_000]),
      9_000_000,
      9_000_001,
    ],
  ] as const) {
    assert.ok(Number.isInteger(c.step) && c.step > 0);
    assert.equal(c.from + c.split * c.step, from);
    assert.equal(c.until, until);
  }
  const one = compareOne({ from: 9_000_000, until: 9_000_001 }, [8_000_000]);
  assert.ok(one.from <= 8_000_000);
  const halves = compareRange({ from: 0, until: 7_200_000 }, 1_200_000);
  assert.equal(halves.from + halves.split * halves.step, 4_200_000);
});

test("matchers are read as written, and what cannot be read is left out", () => {
  const text = 'env="prod",zone=~"a|b\\"c",app.version!="1"';
  const list = parseMatches(text);
  assert.deepEqual(
    list.map((m) => [m.name, m.op, m.value]),
    [
      ["env", "=", "prod"],
      ["zone", "=~", 'a|b"c'],
      ["app.version", "!=", "1"],
    ],
  );
  assert.equal(formatMatches(list), text);
  assert.deepEqual(parseMatches('env="prod",nonsense'), [{ name: "env", op: "=", value: "prod" }]);
  assert.deepEqual(parseMatches(""), []);
  assert.equal(makeQuery("cpu", "", "api", list.slice(0, 1)), 'cpu{service_name="api",env="prod"}');
});

test("labels match as on the server: the whole value, and a missing one is empty", () => {
  const labels = { env: "prod" };
  assert.ok(fits(labels, parseMatches('env="prod"')));
  assert.ok(!fits(labels, parseMatches('env=~"pro"')));
  assert.ok(fits(labels, parseMatches('env=~"pro.",zone="",zone!="a"')));
  assert.ok(!fits(labels, parseMatches('env!~"p.*"')));
});

test("kinds are in the order of their views, others after them", () => {
  assert.deepEqual(sortKinds(["goroutine", "mutex", "block", "mutex"]), [
    "block",
    "mutex",
    "goroutine",
  ]);
});
