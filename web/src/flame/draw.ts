// SPDX-License-Identifier: MIT
//
// Paints the visible part of a flame graph into a picture as large as the view, never larger. It
// only reads: what is where comes from tree.ts, what is chosen from its arguments.

import { formatCount } from "../data/format.ts";
import { frameName, type Profile } from "../data/profile.ts";
import { drawText, makeGlyphs, type Glyphs } from "./glyphs.ts";
import { fitLabel } from "./label.ts";
import { inkOfFrame, type Palette } from "./palette.ts";
import { fillLine, fillRect, makePixels, repeatLine, strokeRect, type Pixels } from "./pixels.ts";
import type { Matches } from "./search.ts";
import { visibleBoxes, type Box, type Span } from "./tree.ts";

export const ROW = 18;
export const MIN_LABEL = 30; // pixels
const MIN_BOX = 1;
const LONGEST_LABEL = 512; // characters

export interface Scene {
  p: Profile;
  palette: Palette;
  span: Span;
  width: number; // CSS pixels
  height: number;
  scroll: number; // of the rows, in pixels
  upwards: boolean; // the root is at the bottom
  skipRoot: boolean; // its row is not shown: callers end at the row of the callees' root
  matches: Matches | undefined;
  chosen: number; // node
  chosenFunction: number; // or -1
  hovered: number; // node, or -1
}

function rowCount(p: Profile, skipRoot: boolean): number {
  return p.tree.depths - (skipRoot ? 1 : 0);
}

/** Of all rows, in pixels. */
export function contentHeight(p: Profile, skipRoot: boolean): number {
  return (rowCount(p, skipRoot) + (skipRoot ? 0 : 1)) * ROW;
}

/** Where the row of a depth begins, in the content. */
export function rowTop(s: Pick<Scene, "p" | "upwards" | "skipRoot" | "height">, depth: number) {
  const row = depth - (s.skipRoot ? 1 : 0);
  if (!s.upwards) return row * ROW;
  return Math.max(contentHeight(s.p, s.skipRoot), s.height) - (row + 1) * ROW;
}

function depthAt(s: Scene, y: number): number {
  const skipped = s.skipRoot ? 1 : 0;
  if (!s.upwards) return Math.floor((y + s.scroll) / ROW) + skipped;
  const bottom = Math.max(contentHeight(s.p, s.skipRoot), s.height) - s.scroll;
  return Math.ceil((bottom - y) / ROW) - 1 + skipped;
}

/** What is painted with, made anew when the view's size or its theme changes. */
export interface Brush {
  pixels: Pixels;
  glyphs: Glyphs;
  ratio: number; // device pixels in a CSS pixel
}

export function makeBrush(width: number, height: number, ratio: number, palette: Palette): Brush {
  const glyphs = makeGlyphs(palette.font, palette.text, ratio, Math.round((ROW - 1) * ratio));
  const pixels = makePixels(Math.round(width * ratio), Math.round(height * ratio));
  return { pixels, glyphs, ratio };
}

/** How many nodes of the box match. */
function matching(m: Matches, box: Box): number {
  return m.before[box.node + box.count] - m.before[box.node];
}

function isDim(s: Scene, box: Box): boolean {
  return s.matches !== undefined && matching(s.matches, box) === 0;
}

function rightEdge(b: Brush, box: Box, left: number): number {
  const right = Math.round(box.right * b.ratio);
  const gap = box.right - box.left > 3 ? Math.max(1, Math.floor(b.ratio)) : 0;
  return Math.max(right - gap, left + 1);
}

/** Lines of a row, in device pixels of the view. */
function linesOf(b: Brush, s: Scene, depth: number) {
  const top = Math.round((rowTop(s, depth) - s.scroll) * b.ratio);
  return { top, bottom: top + b.glyphs.height };
}

function edgesOf(b: Brush, s: Scene, box: Box) {
  const left = Math.round(box.left * b.ratio);
  return { left, right: rightEdge(b, box, left), ...linesOf(b, s, box.depth) };
}

/** One line of each row is filled box by box and then repeated. Nothing is made for a box here. */
function fillBoxes(b: Brush, s: Scene, labelled: Box[], marked: Box[]): void {
  const { pixels } = b;
  const { ink } = s.palette;
  const { frame } = s.p.tree;
  let depth = -1;
  let line = 0;
  visibleBoxes(s.p.tree, port(s), (box) => {
    if (box.depth !== depth) {
      depth = box.depth;
      line = Math.max(0, linesOf(b, s, depth).top);
    }
    const colour = isDim(s, box) && !s.palette.dropped?.[box.node]
      ? ink.dim
      : box.count > 1
        ? ink.run
        : inkOfFrame(ink, frame[box.node], box.node);
    const left = Math.round(box.left * b.ratio);
    if (line < pixels.height) fillLine(pixels, line, left, rightEdge(b, box, left), colour);
    if (box.count === 1 && s.palette.dropped?.[box.node]) return;
    if (box.right - box.left >= MIN_LABEL) labelled.push({ ...box });
    if (isMarked(s, box)) marked.push({ ...box });
  });
  const { firstDepth, lastDepth } = port(s);
  for (let d = firstDepth; d <= lastDepth; d++) {
    const { top, bottom } = linesOf(b, s, d);
    if (bottom > 0 && top < pixels.height) repeatLine(pixels, Math.max(0, top), top, bottom);
  }
}

function port(s: Scene) {
  const [top, bottom] = [depthAt(s, 0), depthAt(s, s.height - 1)];
  return {
    span: s.span,
    pixels: s.width,
    firstDepth: Math.max(Math.min(top, bottom), s.skipRoot ? 1 : 0),
    lastDepth: Math.max(top, bottom),
    minPixels: MIN_BOX,
  };
}

/** Shortening a name takes as long as drawing it. By characters, then by frame. */
const shortened = new WeakMap<Profile, Map<number, string>[]>();

function labelOf(p: Profile, frame: number, chars: number): string {
  let lists = shortened.get(p);
  if (!lists) shortened.set(p, (lists = []));
  const names = (lists[chars] ??= new Map<number, string>());
  let text = names.get(frame);
  if (text === undefined) names.set(frame, (text = fitLabel(frameName(p, frame), chars)));
  return text;
}

function drawLabels(b: Brush, s: Scene, labelled: Box[]): void {
  const char = (b.glyphs.known.get("m")?.advance ?? 8) / b.ratio;
  for (const box of labelled) {
    const chars = Math.min(Math.floor((box.right - box.left - 8) / char), LONGEST_LABEL);
    const frame = s.p.tree.frame[box.node];
    const text = box.count > 1 ? `+${formatCount(box.count)}` : labelOf(s.p, frame, chars);
    if (!text || text.length > chars) continue;
    const { left, right, top } = edgesOf(b, s, box);
    const ink = isDim(s, box) ? s.palette.ink.dimText : s.palette.ink.text;
    drawText(b.pixels, b.glyphs, text, { left: left + 4 * b.ratio, right, top }, ink);
  }
}

/** Inlined frames have a dotted left edge: they were compiled into their caller, never called. */
function drawInlined(b: Brush, s: Scene, labelled: Box[]): void {
  const dot = Math.round(2 * b.ratio);
  for (const box of labelled) {
    const frame = s.p.tree.frame[box.node];
    if (box.count > 1 || frame < 0 || !s.p.frameInlined[frame]) continue;
    const { left, top } = edgesOf(b, s, box);
    for (let y = 1; y < ROW - 2; y += 4) {
      const at = top + Math.round(y * b.ratio);
      fillRect(b.pixels, left, at, left + dot, at + dot, s.palette.ink.text);
    }
  }
}

/** Outlined are the chosen box, others of its function, and the one under the pointer. */
function isMarked(s: Scene, box: Box): boolean {
  const end = box.node + box.count;
  if (s.chosen > 0 && s.chosen >= box.node && s.chosen < end) return true;
  if (s.hovered >= box.node && s.hovered < end) return true;
  return isSame(s, box);
}

function isSame(s: Scene, box: Box): boolean {
  const frame = s.p.tree.frame[box.node];
  return (
    s.chosenFunction >= 0 &&
    box.count === 1 &&
    frame >= 0 &&
    s.p.frameFunction[frame] === s.chosenFunction
  );
}

function drawMarks(b: Brush, s: Scene, marked: Box[]): void {
  const { ink } = s.palette;
  const thin = Math.max(1, Math.round(b.ratio));
  for (const box of marked) {
    const end = box.node + box.count;
    const edges = edgesOf(b, s, box);
    edges.right = Math.max(edges.right, edges.left + 2 * thin);
    if (isSame(s, box) && box.right - box.left > 3) strokeRect(b.pixels, edges, thin, ink.accent);
    if (s.chosen > 0 && s.chosen >= box.node && s.chosen < end)
      strokeRect(b.pixels, edges, 2 * thin, ink.accent);
    if (s.hovered >= box.node && s.hovered < end) strokeRect(b.pixels, edges, thin, ink.text);
  }
}

export function drawFlame(b: Brush, s: Scene): void {
  b.pixels.data.fill(s.palette.ink.background);
  const labelled: Box[] = [];
  const marked: Box[] = [];
  fillBoxes(b, s, labelled, marked);
  drawLabels(b, s, labelled);
  drawInlined(b, s, labelled);
  drawMarks(b, s, marked);
}

/** The box under a point of the view, or undefined. */
export function boxUnder(s: Scene, px: number, py: number): Box | undefined {
  const depth = depthAt(s, py);
  if (depth < (s.skipRoot ? 1 : 0)) return undefined;
  let found: Box | undefined;
  visibleBoxes(s.p.tree, { ...port(s), firstDepth: depth, lastDepth: depth }, (box) => {
    const shown = box.count > 1 || !s.palette.dropped?.[box.node];
    if (shown && px >= box.left && px < Math.max(box.right, box.left + 1)) found = { ...box };
  });
  return found;
}
