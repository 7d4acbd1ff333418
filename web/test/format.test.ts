// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  autoUnit,
  formatIn,
  formatPercent,
  formatValue,
  settleUnit,
  tableUnit,
} from "../src/data/format.ts";

test("values are printed as pprof prints them", () => {
  assert.equal(formatValue(4560000000, "nanoseconds"), "4.56s");
  assert.equal(formatValue(10000000, "nanoseconds"), "10ms");
  assert.equal(formatValue(1500, "ns"), "1.50us");
  assert.equal(formatValue(7200e9, "nanoseconds"), "2hrs");
  assert.equal(formatValue(1572864, "bytes"), "1.50MB");
  assert.equal(formatValue(1023, "bytes"), "1023B");
  assert.equal(formatValue(12, "count"), "12");
  assert.equal(formatValue(0, "nanoseconds"), "0");
  assert.equal(formatValue(-2500, "microseconds"), "-2.50ms");
});

test("a unit that is not known is not scaled", () => {
  assert.equal(autoUnit(5e9, "widgets"), "");
  assert.equal(formatValue(5, "widgets"), "5");
});

test("a unit that is asked for is one of the family, or stands as it is", () => {
  const asked = (unit: string, from = "nanoseconds") => settleUnit(unit, from);
  assert.equal(asked("ms"), "ms");
  assert.equal(asked("Milliseconds"), "ms");
  assert.equal(asked("minutes"), "s", "unknown ones are the family's own");
  assert.equal(asked("bytes"), "s");
  assert.equal(asked("mib", "bytes"), "B");
  assert.equal(asked("MB", "bytes"), "MB");
  assert.equal(asked("minimum"), "");
  assert.equal(asked("auto"), "auto");
  assert.equal(asked("auto", "count"), "");
  assert.equal(asked("sample", "count"), "");
  assert.equal(asked("ms", "count"), "ms");
});

test("percentages have two decimals, or two digits below one", () => {
  assert.equal(formatPercent(123, 1000), "12.30%");
  assert.equal(formatPercent(1, 200), "0.5%");
  assert.equal(formatPercent(1, 300), "0.33%");
  assert.equal(formatPercent(9996, 10000), "100%");
  assert.equal(formatPercent(28, 1e8), "2.8e-05%");
  assert.equal(formatPercent(0, 10), "0%");
  assert.equal(formatPercent(1, 0), "0%");
  assert.equal(formatPercent(-50, 100), "50.00%");
});

test("a table has one unit, that of its smallest row unless that is far too small", () => {
  assert.equal(tableUnit(10e6, 1.12e9, "nanoseconds"), "s");
  assert.equal(tableUnit(20e6, 1.12e9, "nanoseconds"), "ms");
  assert.equal(tableUnit(5, 80, "count"), "");
  assert.equal(formatIn(240e6, "nanoseconds", "s"), "0.24");
});
