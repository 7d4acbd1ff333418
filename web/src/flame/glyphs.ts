// SPDX-License-Identifier: MIT
//
// Characters as coverage (how much of a pixel they cover, 0 to 255), drawn once each by the browser
// at four positions between two pixels, and laid on our own picture for every label. A frame has
// up to a thousand labels, and the same hundred characters in all of them.

import type { Pixels } from "./pixels.ts";

const STEPS = 4; // positions between two pixels
const PAD = 1; // pixels left and right of a character that it may reach into
const COMMON = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join("") + "…";

interface Glyph {
  width: number; // of the cell
  advance: number; // to the next character
  steps: Uint8Array[]; // coverage, row by row
}

export interface Glyphs {
  font: string;
  colour: string;
  ratio: number; // device pixels in a CSS pixel
  height: number; // of a cell, in device pixels
  known: Map<string, Glyph>;
}

export function makeGlyphs(font: string, colour: string, ratio: number, height: number): Glyphs {
  const glyphs = { font, colour, ratio, height, known: new Map<string, Glyph>() };
  addGlyphs(glyphs, [...COMMON]);
  return glyphs;
}

function addGlyphs(g: Glyphs, characters: string[]): void {
  const canvas = document.createElement("canvas");
  const c = canvas.getContext("2d", { willReadFrequently: true });
  if (!c) return;
  c.font = g.font;
  const advances = characters.map((text) => c.measureText(text).width * g.ratio);
  const widths = advances.map((advance) => Math.ceil(advance) + 2 * PAD + 1);
  canvas.width = widths.reduce((sum, width) => sum + width, 0);
  canvas.height = g.height * STEPS; /* a new size makes the context new, too */
  c.setTransform(g.ratio, 0, 0, g.ratio, 0, 0);
  c.font = g.font;
  c.textBaseline = "middle";
  c.fillStyle = g.colour;
  const lefts: number[] = [];
  let left = 0;
  characters.forEach((text, i) => {
    for (let step = 0; step < STEPS; step++) {
      const y = (step + 0.5) * g.height + g.ratio;
      c.fillText(text, (left + PAD + step / STEPS) / g.ratio, y / g.ratio);
    }
    lefts.push(left);
    left += widths[i];
  });
  const image = c.getImageData(0, 0, canvas.width, canvas.height);
  characters.forEach((text, i) => {
    const [width, advance] = [widths[i], advances[i]];
    const steps = Array.from({ length: STEPS }, (_, step) =>
      coverageOf(image, lefts[i], step * g.height, width, g.height),
    );
    g.known.set(text, { width, advance, steps });
  });
}

function coverageOf(image: ImageData, left: number, top: number, width: number, height: number) {
  const cell = new Uint8Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      cell[y * width + x] = image.data[((top + y) * image.width + left + x) * 4 + 3];
  return cell;
}

function glyphOf(g: Glyphs, character: string): Glyph | undefined {
  if (!g.known.has(character)) addGlyphs(g, [character]);
  return g.known.get(character);
}

const segmenter = new Intl.Segmenter();

function charactersOf(text: string): Iterable<string> {
  // eslint-disable-next-line no-control-regex
  if (/^[\x00-\x7f…]*$/.test(text)) return text;
  return Array.from(segmenter.segment(text), (part) => part.segment);
}

/** Writes from `left`; what would reach to `right` or beyond, or out of the picture, is cut off. */
export function drawText(
  p: Pixels,
  g: Glyphs,
  text: string,
  at: { left: number; right: number; top: number },
  ink: number,
): void {
  const right = Math.min(at.right, p.width);
  let pen = at.left;
  for (const character of charactersOf(text)) {
    const glyph = glyphOf(g, character);
    if (!glyph || pen >= right) return;
    const quarter = Math.round(pen * STEPS);
    const x = Math.floor(quarter / STEPS) - PAD;
    const place = { x, top: at.top, right };
    if (character !== " ") blend(p, g.height, glyph, quarter % STEPS, place, ink);
    pen += glyph.advance;
  }
}

/** Mixes the ink with what is there, by coverage; red and blue in one step. */
function blend(
  p: Pixels,
  height: number,
  glyph: Glyph,
  step: number,
  at: { x: number; top: number; right: number },
  ink: number,
): void {
  const { width } = glyph;
  const cell = glyph.steps[step];
  const { data } = p;
  const [redBlue, green] = [ink & 0xff00ff, ink & 0xff00];
  const first = Math.max(0, -at.x);
  const last = Math.min(width, at.right - at.x);
  const end = Math.min(height, p.height - at.top);
  for (let y = Math.max(0, -at.top); y < end; y++) {
    const row = (at.top + y) * p.width + at.x;
    for (let x = first; x < last; x++) {
      const covered = cell[y * width + x];
      if (!covered) continue;
      const part = covered + (covered >> 7); /* 255 is all: 256 */
      const rest = 256 - part;
      const was = data[row + x];
      data[row + x] =
        ((((was & 0xff00ff) * rest + redBlue * part) >>> 8) & 0xff00ff) |
        ((((was & 0xff00) * rest + green * part) >>> 8) & 0xff00) |
        0xff000000;
    }
  }
}
