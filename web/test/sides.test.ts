// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { changeStep, noiseP } from "../src/data/sides.ts";

test("steps of change: nothing, part, and what only one side has", () => {
  assert.equal(changeStep(100, 100), 0);
  assert.equal(changeStep(100, 101), 0);
  assert.equal(changeStep(100, 150), 3);
  assert.equal(changeStep(150, 100), -3);
  assert.equal(changeStep(100, 0), -5);
  assert.equal(changeStep(0, 1), 5);
  assert.equal(changeStep(0, 0), 0);
});

test("p is the chance of a normal variable beyond the change", () => {
  assert.ok(Math.abs(noiseP(1.959964, 1) - 0.05) < 1e-5);
  assert.ok(Math.abs(noiseP(-2 * 1.959964, 4) - 0.05) < 1e-5);
  assert.ok(noiseP(100, 1) < 1e-9);
  assert.ok(Number.isNaN(noiseP(1, 0)));
  assert.ok(Number.isNaN(noiseP(1, undefined)));
});
