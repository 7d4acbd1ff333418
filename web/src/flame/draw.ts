// SPDX-License-Identifier: MIT
//
// Paints the visible part of a flame graph on a canvas as large as the view, never larger. It only
// reads: what is where comes from tree.ts, what is chosen from its arguments.

import { formatCount } from "../data/format.ts";
import { frameName, type Profile } from "../data/profile.ts";
import { fitLabel } from "./label.ts";
import { colourOf, type Palette } from "./palette.ts";
import type { Matches } from "./search.ts";
import { visibleBoxes, type Box, type Span } from "./tree.ts";

export const ROW = 18;
export const MIN_LABEL = 30; // pixels
const MIN_BOX = 1;

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

let charWidth = { font: "", width: 0 };

function widthOfChar(c: CanvasRenderingContext2D, font: string): number {
  if (charWidth.font !== font)
    charWidth = { font, width: c.measureText("m".repeat(20)).width / 20 };
  return charWidth.width;
}

/** How many nodes of the box match. */
function matching(m: Matches, box: Box): number {
  return m.before[box.node + box.count] - m.before[box.node];
}

function fillBoxes(c: CanvasRenderingContext2D, s: Scene, labelled: Box[], marked: Box[]): void {
  let fill = "";
  visibleBoxes(s.p.tree, port(s), (box) => {
    const dim = s.matches !== undefined && matching(s.matches, box) === 0;
    const colour = dim
      ? s.palette.dim
      : box.count > 1
        ? s.palette.run
        : colourOf(s.palette, s.p.tree.frame[box.node]);
    if (colour !== fill) c.fillStyle = fill = colour;
    const width = box.right - box.left;
    c.fillRect(
      box.left,
      rowTop(s, box.depth) - s.scroll,
      Math.max(width > 3 ? width - 1 : width, 0.7),
      ROW - 1,
    );
    if (width >= MIN_LABEL) labelled.push({ ...box });
    if (isMarked(s, box)) marked.push({ ...box });
  });
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

function drawLabels(c: CanvasRenderingContext2D, s: Scene, labelled: Box[]): void {
  const char = widthOfChar(c, s.palette.font);
  for (const box of labelled) {
    const chars = Math.floor((box.right - box.left - 8) / char);
    const frame = s.p.tree.frame[box.node];
    const text =
      box.count > 1 ? `+${formatCount(box.count)}` : fitLabel(frameName(s.p, frame), chars);
    if (!text || text.length > chars) continue;
    const dim = s.matches !== undefined && matching(s.matches, box) === 0;
    c.fillStyle = dim ? s.palette.dimText : s.palette.text;
    c.fillText(text, box.left + 4, rowTop(s, box.depth) - s.scroll + ROW / 2 + 0.5);
  }
}

/** Inlined frames have a dotted left edge: they were compiled into their caller, never called. */
function drawInlined(c: CanvasRenderingContext2D, s: Scene, labelled: Box[]): void {
  c.fillStyle = s.palette.text;
  for (const box of labelled) {
    const frame = s.p.tree.frame[box.node];
    if (box.count > 1 || frame < 0 || !s.p.frameInlined[frame]) continue;
    const top = rowTop(s, box.depth) - s.scroll;
    for (let y = 1; y < ROW - 2; y += 4) c.fillRect(box.left, top + y, 1.5, 2);
  }
}

function outline(
  c: CanvasRenderingContext2D,
  s: Scene,
  box: Box,
  colour: string,
  width: number,
): void {
  c.strokeStyle = colour;
  c.lineWidth = width;
  const inset = width / 2;
  const w = Math.max(box.right - box.left - 1, 2);
  const top = rowTop(s, box.depth) - s.scroll;
  c.strokeRect(box.left + inset, top + inset, w - width, ROW - 1 - width);
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

function drawMarks(c: CanvasRenderingContext2D, s: Scene, marked: Box[]): void {
  for (const box of marked) {
    const end = box.node + box.count;
    if (isSame(s, box) && box.right - box.left > 3) outline(c, s, box, s.palette.accent, 1);
    if (s.chosen > 0 && s.chosen >= box.node && s.chosen < end)
      outline(c, s, box, s.palette.accent, 2);
    if (s.hovered >= box.node && s.hovered < end) outline(c, s, box, s.palette.text, 1);
  }
}

export function drawFlame(c: CanvasRenderingContext2D, s: Scene): void {
  c.fillStyle = s.palette.background;
  c.fillRect(0, 0, s.width, s.height);
  c.font = s.palette.font;
  c.textBaseline = "middle";
  const labelled: Box[] = [];
  const marked: Box[] = [];
  fillBoxes(c, s, labelled, marked);
  drawLabels(c, s, labelled);
  drawInlined(c, s, labelled);
  drawMarks(c, s, marked);
}

/** The box under a point of the view, or undefined. */
export function boxUnder(s: Scene, px: number, py: number): Box | undefined {
  const depth = depthAt(s, py);
  if (depth < (s.skipRoot ? 1 : 0)) return undefined;
  let found: Box | undefined;
  visibleBoxes(s.p.tree, { ...port(s), firstDepth: depth, lastDepth: depth }, (box) => {
    if (px >= box.left && px < Math.max(box.right, box.left + 1)) found = { ...box };
  });
  return found;
}
