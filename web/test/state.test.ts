// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { readBody } from "../src/data/columns.ts";
import { tableUnit } from "../src/data/format.ts";
import { nodeName } from "../src/data/profile.ts";
import { findPlace, placeOf, readZoom, writeRun, writeSpan } from "../src/flame/place.ts";
import { findMatches, matchStops, searchPattern } from "../src/flame/search.ts";
import { spanOf } from "../src/flame/tree.ts";
import { routeFromQuery, routeToQuery } from "../src/route.ts";
import { topRows, topTable, type TopLimits } from "../src/top/rows.ts";
import { profileOf, randomProfile } from "./support.ts";

function pattern(text: string): RegExp {
  const p = searchPattern(text);
  assert.ok(p);
  return p;
}

const everything: TopLimits = { asked: false, fraction: 0, count: 0, dropsNegative: false };

test("the plain address is the plain page, and every state survives its address", () => {
  assert.equal(routeToQuery(routeFromQuery("")), "");
  const query =
    "?view=top&si=inuse_space&q=a%7Cb&zoom=x-y&at=z&sel=std%3A%3Asort&sort=cum&rev=1&theme=dark";
  assert.equal(routeToQuery(routeFromQuery(query)), query);
  const options = "?view=source&n=40&calltree=t&g=lines&tagroot=user&asm=1&drel=1";
  assert.equal(routeToQuery(routeFromQuery(options)), options);
  assert.deepEqual(routeFromQuery(options).options, {
    n: "40",
    calltree: "t",
    g: "lines",
    tagroot: "user",
  });
  assert.equal(routeFromQuery("?view=nonsense&theme=pink").view, "flame");
});

test("a place names its box in another profile too", () => {
  const one = profileOf({ "main;a;b": 5, "main;c": 9 });
  const other = profileOf({ "init;a;b": 50, "main;a;b": 1, "main;x": 3 });
  const node = findPlace(other, placeOf(one, 4));
  assert.equal(nodeName(one, 4), "b");
  assert.equal(nodeName(other, node), "b");
  assert.equal(nodeName(other, other.tree.parent[other.tree.parent[node]]), "main");
  assert.equal(findPlace(other, placeOf(one, findPlace(one, placeOf(one, 2)))), -1);
});

test("places are distinct", () => {
  const p = randomProfile(5, 500);
  const places = new Set(Array.from({ length: p.tree.count }, (_, i) => placeOf(p, i)));
  assert.equal(places.size, p.tree.count);
});

test("a zoom is a box, a run, a window, or everything", () => {
  const p = profileOf({ "main;a": 6, "main;b": 3, "main;c": 1, idle: 10 });
  const { tree } = p;
  const everything = { node: 0, span: { from: 0, to: 20 } };
  assert.deepEqual(readZoom(p, ""), everything);
  assert.deepEqual(readZoom(p, "nonsense"), everything);
  assert.deepEqual(readZoom(p, "@0.8,0.2"), everything);
  assert.deepEqual(readZoom(p, placeOf(p, 2)), { node: 2, span: spanOf(tree, 2) });
  const [a, c] = [3, 5];
  assert.deepEqual(readZoom(p, writeRun(p, a, c)), { node: 2, span: { from: 10, to: 20 } });
  assert.deepEqual(readZoom(p, writeSpan(p, { from: 5, to: 10 })), {
    node: 0,
    span: { from: 5, to: 10 },
  });
  assert.equal(writeSpan(p, { from: 0, to: 20 }), "");
});

test("the matched share counts no sample twice", () => {
  const p = profileOf({ "a;f;b;f": 4, "a;f": 1, "g;f": 2, h: 3 });
  const found = findMatches(p, pattern("^f$"));
  assert.equal(found.weight, 7);
  assert.equal(found.functionCount, 1);
  assert.deepEqual(
    [...matchStops(p, found)].map((n) => p.tree.total[n]),
    [5, 2],
  );
  assert.equal(found.before[p.tree.count], 3);
});

test("small letters match capitals, capitals only themselves", () => {
  assert.ok(pattern("malloc").test("je_Malloc"));
  assert.ok(!pattern("Malloc").test("malloc"));
  assert.equal(searchPattern("(*T)"), undefined);
  assert.ok(pattern("\\(\\*T\\)").test("a.(*T).M"));
});

test("the table has the matching functions in the asked order", () => {
  const p = profileOf({ "main;a": 6e9, "main;b": 3e9, b: 1e9, "main;a;c": 2e9 });
  const table = topTable(p, everything, false);
  const names = (sort: "flat" | "cum" | "name", reversed = false): string =>
    [...topRows(p, table, undefined, sort, reversed)].map((i) => p.facts.strings[i]).join(" ");
  assert.equal(names("flat"), "a b c main");
  assert.equal(names("cum"), "main a b c");
  assert.equal(names("name"), "a b c main");
  assert.equal(names("cum", true), "c b a main");
  assert.equal(topRows(p, table, findMatches(p, pattern("a")), "flat", false).length, 2);
  assert.equal(tableUnit(table.smallest, p.total, "nanoseconds"), "s");
});

test("equal rows stand by their names, compared as bytes", () => {
  const p = profileOf({ "\u{1f600}": 5, "\uff5e": 5, b: 5, "b;a": 1, "c;b": 1 });
  const names = [...topTable(p, everything, false).all].map((i) => p.facts.strings[i]);
  assert.deepEqual(names, ["b", "\uff5e", "\u{1f600}", "a", "c"]);
});

test("the table is cut as strobe top is", () => {
  const p = profileOf({ "main;a": 60, "main;b": 30, b: 9, "main;c": 1 });
  const cut = (limits: Partial<TopLimits>, byCum = false): [string, number] => {
    const table = topTable(p, { ...everything, ...limits }, byCum);
    return [[...table.all].map((i) => p.facts.strings[i]).join(" "), table.left_out];
  };
  assert.deepEqual(cut({}), ["a b c main", 0]);
  assert.deepEqual(cut({ fraction: 0.01 }), ["a b c main", 0], "as heavy as the limit");
  assert.deepEqual(cut({ fraction: 0.02 }), ["a b main", 1]);
  assert.deepEqual(cut({ count: 2 }), ["a b", 2]);
  assert.deepEqual(cut({ count: 2 }, true), ["main a", 2]);
});

test("what is negative can be left out of the table", () => {
  const p = profileOf({ "main;a": 6, "main;b": -2, "main;b;c": 5, "main;d;e": -1 });
  const names = [...topTable(p, { ...everything, dropsNegative: true }, false).all];
  assert.deepEqual(
    names.map((i) => p.facts.strings[i]),
    ["a", "c", "main"],
  );
});

test("bytes that are no profile are refused with a sentence", () => {
  assert.throws(() => readBody(new ArrayBuffer(3)), /not a profile/);
  assert.throws(() => readBody(new TextEncoder().encode("<html>".repeat(9)).buffer), /not a/);
});
