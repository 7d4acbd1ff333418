// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { moduleGroup, toneOf } from "../src/data/module.ts";
import { honesty } from "../src/data/honesty.ts";
import { fitLabel, scopeEnd } from "../src/flame/label.ts";

test("a name that fits is left as it is", () => {
  assert.equal(fitLabel("sqlite3VdbeExec", 15), "sqlite3VdbeExec");
});

test("arguments go before namespaces, namespaces before the name", () => {
  const name = "std::vector<std::pair<int, char> >::push_back(std::pair<int, char> const&) const";
  assert.equal(fitLabel(name, 40), "std::vector::push_back");
  assert.equal(fitLabel(name, 18), "vector::push_back");
  assert.equal(fitLabel(name, 10), "push_back");
  assert.equal(fitLabel(name, 5), "push…");
});

test("operators keep their signs", () => {
  assert.equal(fitLabel("ns::operator<(ns::T const&, int)", 13), "ns::operator<");
  assert.equal(fitLabel("ns::T::operator()(int) const", 17), "ns::T::operator()");
  assert.equal(fitLabel("ns::T::operator->() const", 17), "ns::T::operator->");
  assert.equal(fitLabel("bool operator<< <char>(int)", 16), "bool operator<<");
});

test("anonymous namespaces and Go methods are no arguments", () => {
  assert.equal(fitLabel("(anonymous namespace)::run(int)", 29), "(anonymous namespace)::run");
  assert.equal(fitLabel("net/http.(*conn).serve", 18), "http.(*conn).serve");
  assert.equal(fitLabel("net/http.(*conn).serve", 6), "serve");
});

test("closures and compilers' copies keep what tells them apart", () => {
  assert.equal(fitLabel("main.work.func1", 10), "work.func1");
  assert.equal(fitLabel("ZSTD_compressBlock.constprop.0", 20), "ZSTD_compressBlock");
});

test("a function without a name is its address", () => {
  assert.equal(fitLabel("libsqlite3.so.0!0xfc0b0", 23), "libsqlite3.so.0!0xfc0b0");
  assert.equal(fitLabel("libsqlite3.so.0!0xfc0b0", 10), "0xfc0b0");
});

test("a long plain name loses its middle", () => {
  assert.equal(fitLabel("ZSTD_compressBlock_btopt_dictMatchState", 15), "ZSTD_co…chState");
  assert.equal(fitLabel("abcdef", 2), "");
});

test("labels never exceed their room", () => {
  const names = ["a::b<c(d)>::e(f)", "x/y/z.(*T[...]).m", "operator<", ")(", "<<<", "::", "….…"];
  for (const name of names)
    for (let n = 0; n < 20; n++) assert.ok(fitLabel(name, n).length <= n, `${name} in ${n}`);
});

test("the scope of a name is its path or namespace", () => {
  assert.equal(scopeEnd("a/b/c.F"), 4);
  assert.equal(scopeEnd("ns::f<x::y>(a::b)"), 4);
  assert.equal(scopeEnd("f"), 0);
});

test("Go functions belong to packages, native ones to binaries", () => {
  assert.equal(moduleGroup("net/http.(*conn).serve", "/go/server.go", "/bin/x"), "net/http");
  assert.equal(moduleGroup("main.main", "m.go", "/bin/x"), "main");
  assert.equal(moduleGroup("a/b.F[go.shape.int/c]", "m.go", "/bin/x"), "a/b");
  assert.equal(moduleGroup("inflate", "inflate.c", "/usr/lib/libz.so.1"), "libz.so.1");
  assert.equal(moduleGroup("f", "", ""), "");
});

test("the kernel, libc and the unknown have their greys, others one of twelve hues", () => {
  assert.equal(toneOf(""), "unknown");
  assert.equal(toneOf("[kernel.kallsyms]"), "kernel");
  assert.equal(toneOf("libc.so.6"), "libc");
  assert.equal(toneOf("libc-2.36.so"), "libc");
  assert.equal(toneOf("libm.so.6"), "libc");
  assert.equal(toneOf("ld-linux-x86-64.so.2"), "libc");
  assert.equal(toneOf("[vdso]"), "libc");
  for (const group of [
    "main",
    "runtime",
    "libsqlite3.so.0",
    "libcurl.so.4",
    "libmagic.so.1",
    "x",
  ]) {
    const tone = toneOf(group);
    assert.ok(typeof tone === "number" && tone >= 0 && tone < 12, `${group}: ${tone}`);
  }
});

test("what was lost is said, what was not lost is not", () => {
  const clean = "512 samples, 0 lost, 0 truncated, 0 cut at 512 frames";
  assert.deepEqual(honesty(["strobe 0.1.0: 100 Hz by perf", clean]), []);
  const some = "1900 samples, 3 lost, 1204 truncated, 1 cut at 512 frames";
  assert.deepEqual(honesty([clean, some, some]), [
    "6 samples lost",
    "2,408 stacks truncated",
    "2 stacks cut at 512 frames",
  ]);
  assert.deepEqual(honesty(["2 threads could not be sampled", "# truncated: no table: 7"]), [
    "2 threads could not be sampled",
  ]);
  assert.deepEqual(honesty(["perf: 12 events dropped"]), ["perf: 12 events dropped"]);
});
