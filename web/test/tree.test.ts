// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeName, type Profile } from "../src/data/profile.ts";
import {
  depthOf,
  nodeAt,
  pathTo,
  spanOf,
  visibleBoxes,
  type Box,
  type ViewPort,
} from "../src/flame/tree.ts";
import { profileOf, random, randomProfile } from "./support.ts";

function namesOf(p: Profile): string[] {
  return Array.from({ length: p.tree.count }, (_, i) => nodeName(p, i));
}

function boxesOf(p: Profile, port: ViewPort): Box[] {
  const boxes: Box[] = [];
  visibleBoxes(p.tree, port, (box) => boxes.push({ ...box }));
  return boxes;
}

test("children lie within their parent, side by side, heaviest first", () => {
  const p = randomProfile(1, 400);
  const { tree } = p;
  for (let i = 0; i < tree.count; i++) {
    let at = tree.x[i];
    let before = Infinity;
    for (let c = tree.firstChild[i]; c < tree.firstChild[i + 1]; c++) {
      assert.equal(tree.parent[c], i);
      assert.equal(tree.x[c], at);
      assert.ok(tree.width[c] <= before);
      before = tree.width[c];
      at += tree.width[c];
    }
    assert.ok(at <= tree.x[i] + tree.width[i]);
    assert.equal(at + tree.self[i], tree.x[i] + tree.width[i]);
  }
});

test("totals are self and everything beneath", () => {
  const p = profileOf({ "a;b": 3, "a;b;c": 4, a: 5, d: 1 });
  assert.deepEqual(namesOf(p), ["all", "a", "d", "b", "c"]);
  assert.deepEqual([...p.tree.total], [13, 12, 1, 7, 4]);
  assert.deepEqual([...p.tree.levelStart], [0, 1, 3, 4, 5]);
  assert.deepEqual(pathTo(p.tree, 4), [0, 1, 3, 4]);
});

test("a difference is as wide as its changes, whatever they come to", () => {
  const p = profileOf({ "a;b": -5, "a;c": 3 });
  assert.deepEqual(namesOf(p), ["all", "a", "b", "c"]);
  assert.deepEqual([...p.tree.total], [-2, -2, -5, 3]);
  assert.deepEqual([...p.tree.width], [8, 8, 5, 3]);
  assert.deepEqual([...p.tree.x], [0, 0, 0, 5]);
});

test("the depth of a node is the number of its callers", () => {
  const { tree } = randomProfile(2, 200);
  for (let i = 0; i < tree.count; i++) assert.equal(depthOf(tree, i), pathTo(tree, i).length - 1);
});

test("what is at a point is the box that covers it, or nothing", () => {
  const { tree } = randomProfile(3, 200);
  const next = random(4);
  for (let i = 0; i < 2000; i++) {
    const depth = Math.floor(next() * (tree.depths + 1));
    const position = next() * tree.width[0];
    let expected = -1;
    for (let n = 0; n < tree.count; n++)
      if (
        depthOf(tree, n) === depth &&
        position >= tree.x[n] &&
        position < tree.x[n] + tree.width[n]
      )
        expected = n;
    assert.equal(nodeAt(tree, depth, position), expected);
  }
});

test("every node in view is drawn exactly once, alone or in a run", () => {
  for (let seed = 10; seed < 30; seed++) {
    const p = randomProfile(seed, 600);
    const { tree } = p;
    const next = random(seed);
    const node = Math.floor(next() * next() * tree.count);
    const port: ViewPort = {
      span: spanOf(tree, node),
      pixels: 100 + Math.floor(next() * 900),
      firstDepth: 0,
      lastDepth: tree.depths,
      minPixels: 1,
    };
    const scale = port.pixels / (port.span.to - port.span.from);
    const drawn = new Uint8Array(tree.count);
    for (const box of boxesOf(p, port)) {
      assert.ok(box.right >= box.left && box.left >= 0 && box.right <= port.pixels);
      if (box.count > 1)
        for (let i = box.node; i < box.node + box.count; i++)
          assert.ok(tree.width[i] * scale < 1, "only narrow boxes are merged");
      for (let i = box.node; i < box.node + box.count; i++) {
        assert.equal(depthOf(tree, i), box.depth);
        drawn[i]++;
      }
    }
    for (let i = 0; i < tree.count; i++) {
      const visible = tree.x[i] < port.span.to && tree.x[i] + tree.width[i] > port.span.from;
      assert.equal(drawn[i], visible ? 1 : 0);
    }
  }
});

test("runs end at visible gaps", () => {
  const folded: Record<string, number> = { self: 1000 };
  for (let i = 0; i < 10; i++) folded[`self;${i}`] = 1;
  for (let i = 0; i < 10; i++) folded[`other;x${i}`] = 1;
  const p = profileOf(folded);
  const port = {
    span: spanOf(p.tree, 0),
    pixels: 500,
    firstDepth: 2,
    lastDepth: 2,
    minPixels: 1,
  };
  assert.deepEqual(
    boxesOf(p, port).map((b) => b.count),
    [10, 10],
  );
});

test("what is drawn does not grow with the number of nodes", () => {
  const folded: Record<string, number> = {};
  for (let i = 0; i < 20000; i++) folded[`a;f${i}`] = 1;
  const p = profileOf(folded);
  const port = { span: spanOf(p.tree, 0), pixels: 800, firstDepth: 0, lastDepth: 9, minPixels: 1 };
  assert.equal(boxesOf(p, port).length, 3);
});
