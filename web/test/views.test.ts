// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { exactly, fileNamed, labelPattern, spellRefinement } from "../src/data/pattern.ts";
import { nodeName } from "../src/data/profile.ts";
import { heatOf } from "../src/flame/palette.ts";
import { heaviestNode } from "../src/flame/tree.ts";
import { routeFromQuery, routeToQuery } from "../src/route.ts";
import { hottestPath, treeRows } from "../src/tree/rows.ts";
import { makeQuery } from "../src/serve/matches.ts";
import { readPlace, windowOf } from "../src/serve/place.ts";
import { profileOf, randomProfile } from "./support.ts";

test("an exact pattern means the name, and is spelled as the name", () => {
  for (const name of ["a.(*T).M", "std::vector<int, x>::at(unsigned)", "f[...]", "a\\b", "x|y^$"]) {
    assert.ok(new RegExp(exactly(name)).test(name));
    assert.ok(!new RegExp(exactly(name)).test(`${name}x`));
    assert.equal(spellRefinement({ kind: "f", value: exactly(name) }).value, name);
  }
  assert.ok(new RegExp(fileNamed("libc.so.6")).test("/usr/lib/libc.so.6"));
  assert.ok(!new RegExp(fileNamed("libc.so.6")).test("/usr/lib/glibc.so.6"));
});

test("an expression is spelled as it is", () => {
  assert.deepEqual(spellRefinement({ kind: "h", value: "a|b" }), { kind: "hide", value: "a|b" });
  assert.deepEqual(spellRefinement({ kind: "sf", value: "^a.*$" }).value, "^a.*$");
});

test("a label's value may hold commas and signs, and is spelled plainly", () => {
  const value = labelPattern("path", "/a,b?c=1");
  assert.ok(!value.slice(5).includes(","), "pprof splits at commas");
  assert.deepEqual(spellRefinement({ kind: "tf", value }), { kind: "path =", value: "/a,b?c=1" });
});

test("refinements survive their address, in their order", () => {
  const query = "?view=calls&h=x&f=a&f=%5Eb%24&tf=k%3Dv&inv=1&up=1&col=file&fn=g&zu=u&zd=d";
  assert.equal(routeToQuery(routeFromQuery(query)), query);
});

test("the hottest path goes on while it is worth it", () => {
  const p = profileOf({ "main;a;x": 600, "main;b": 300, "main;a;x;y": 1, "main;a;z": 20 });
  assert.deepEqual(
    hottestPath(p.tree, 0).map((n) => nodeName(p, n)),
    ["all", "main", "a", "x"],
  );
});

test("rows stand depth first, and only beneath what is open", () => {
  const p = profileOf({ "main;a;x": 6, "main;b": 3, init: 1 });
  const names = (open: number[]) =>
    [...treeRows(p.tree, new Set(open)).node].map((n) => nodeName(p, n)).join(" ");
  assert.equal(names([]), "all");
  assert.equal(names([0]), "all main init");
  assert.equal(names([0, 1]), "all main a b init");
  const all = randomProfile(3, 300);
  const everything = new Set(Array.from({ length: all.tree.count }, (_, i) => i));
  const rows = treeRows(all.tree, everything);
  assert.equal(rows.node.length, all.tree.count);
  for (let i = 1; i < rows.node.length; i++) assert.ok(rows.depth[i] <= rows.depth[i - 1] + 1);
});

test("the heaviest box of a function is found", () => {
  const p = profileOf({ "main;f": 2, "init;f": 5 });
  const f = p.facts.strings.indexOf("f");
  const node = heaviestNode(p.tree, (frame) => p.functionName[p.frameFunction[frame]] === f);
  assert.equal(p.tree.total[node], 5);
  assert.equal(
    heaviestNode(p.tree, () => false),
    0,
  );
});

test("heat has six steps", () => {
  assert.deepEqual(
    [0, 0.0005, 0.001, 0.02, 0.05, 0.2, 0.3, 1].map((v) => heatOf(v, 1)),
    [0, 0, 1, 2, 3, 4, 5, 5],
  );
});

test("a place of the dashboard is read from its address", () => {
  const r = routeFromQuery(
    "?page=memory&app=api&range=6h&until=1795265997105&span=1795265997105-1795265999105",
  );
  const place = readPlace(r.context);
  assert.equal(place.page, "memory");
  assert.deepEqual(windowOf(place, 0), { from: 1795265997105 - 6 * 3600e3, until: 1795265997105 });
  assert.deepEqual(place.selection, { from: 1795265997105, until: 1795265999105 });
  assert.deepEqual(readPlace({}).until, undefined);
  assert.equal(readPlace({ page: "nonsense", range: "5y" }).range, "1h");
});

test("a query names kind, type and service, whatever its name", () => {
  assert.equal(makeQuery("cpu", "", "api"), 'cpu{service_name="api"}');
  assert.equal(
    makeQuery("heap", "alloc_space", 'a"b\\'),
    'heap/alloc_space{service_name="a\\"b\\\\"}',
  );
});
