// SPDX-License-Identifier: MIT
//
// Reads the stylesheet of tokens and measures contrasts by WCAG 2 (relative luminance) from OKLCH
// (Björn Ottosson, "A perceptual color space for image processing").
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

declare const SOURCE_ROOT: string;

function tokensOf(file: string): Map<string, string> {
  const css = readFileSync(`${SOURCE_ROOT}/web/src/${file}`, "utf8");
  return new Map([...css.matchAll(/(--[\w-]+):\s*([^;]+);/g)].map((m) => [m[1], m[2]]));
}

const [light, dark] = [tokensOf("tokens.css"), tokensOf("dark.css")];

function luminance(color: string | undefined): number {
  const m = /^oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)$/.exec(color ?? "");
  assert.ok(m, `no colour: ${color}`);
  const [L, C, h] = m.slice(1).map(Number);
  const a = C * Math.cos((h * Math.PI) / 180);
  const b = C * Math.sin((h * Math.PI) / 180);
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const mm = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const clip = (v: number): number => Math.min(1, Math.max(0, v));
  const red = clip(4.0767416621 * l - 3.3077115913 * mm + 0.2309699292 * s);
  const green = clip(-1.2684380046 * l + 2.6097574011 * mm - 0.3413193965 * s);
  const blue = clip(-0.0041960863 * l - 0.7034186147 * mm + 1.707614701 * s);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(theme: Map<string, string>, a: string, b: string): number {
  const [x, y] = [luminance(theme.get(a)), luminance(theme.get(b))].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
}

const frames = [
  ...Array.from({ length: 12 }, (_, i) => `--m${i}`),
  ...Array.from({ length: 6 }, (_, i) => `--heat${i}`),
  ...Array.from({ length: 5 }, (_, i) => [`--less${i + 1}`, `--more${i + 1}`]).flat(),
  "--same",
  ...["root", "kernel", "libc", "unknown", "run"].map((n) => `--frame-${n}`),
];

test("every colour has one for the dark, and nothing else changes there", () => {
  const colours = [...light].filter(([, value]) => value.startsWith("oklch("));
  assert.deepEqual([...dark.keys()].sort(), colours.map(([name]) => name).sort());
});

for (const [name, theme] of [
  ["light", light],
  ["dark", dark],
] as const) {
  test(`${name}: text on every frame has a contrast of 4.5`, () => {
    for (const frame of frames)
      assert.ok(
        contrast(theme, "--frame-text", frame) >= 4.5,
        `${frame} ${contrast(theme, "--frame-text", frame)}`,
      );
    assert.ok(contrast(theme, "--frame-dim-text", "--frame-dim") >= 4.5);
  });
  test(`${name}: text on every surface has a contrast of 4.5`, () => {
    for (const surface of ["--bg", "--surface", "--raised", "--accent-soft"])
      for (const text of [
        "--text",
        "--muted",
        "--accent-text",
        "--warn",
        "--bad",
        "--less-text",
        "--more-text",
      ])
        assert.ok(contrast(theme, text, surface) >= 4.5, `${text} on ${surface}`);
  });
  test(`${name}: what is pressed has readable text`, () => {
    assert.ok(contrast(theme, "--on-accent", "--accent") >= 4.5);
  });
  test(`${name}: the focus ring stands out from every surface`, () => {
    for (const surface of ["--bg", "--surface", "--raised"])
      assert.ok(contrast(theme, "--accent", surface) >= 3);
  });
}
