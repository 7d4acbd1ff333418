// SPDX-License-Identifier: MIT
//
// The colours of the stylesheet as the canvas needs them, read once for each theme.

import { toneOf, type Tone } from "../data/module.ts";
import type { ColourMode } from "../route.ts";
import { LEFT_OUT_FRAME, ROOT_FRAME, type Profile } from "../data/profile.ts";
import { changeStep } from "../data/sides.ts";
import { inkOf } from "./pixels.ts";

export interface Palette {
  background: string;
  text: string;
  root: string;
  run: string;
  dim: string;
  dimText: string;
  accent: string;
  font: string;
  frame: string[]; // by frame
  node?: string[]; // by node, in place of that: of a difference
  ink: Inks;
  dropped?: Uint8Array; // 1 by node: not shown
}

/** The same colours for a picture of our own. */
export interface Inks {
  background: number;
  text: number;
  root: number;
  run: number;
  dim: number;
  dimText: number;
  accent: number;
  frame: Uint32Array; // by frame
  node?: Uint32Array; // by node, in place of that
}

export function cssName(tone: Tone): string {
  return typeof tone === "number" ? `--m${tone}` : `--frame-${tone}`;
}

/** Steps of self cost, as shares of the total: what is below the first is the coolest. */
export const HEAT_STEPS = [0.001, 0.01, 0.03, 0.1, 0.3] as const;

export function heatOf(self: number, total: number): number {
  const share = total ? Math.abs(self / total) : 0;
  return HEAT_STEPS.filter((step) => share >= step).length;
}

/** What the frame is coloured by: its module or package, its file, or "" for self. */
export function groupOf(p: Profile, frame: number, mode: ColourMode): string {
  if (frame < 0) return "";
  if (mode === "module") return p.frameGroup[frame];
  const file = p.facts.strings[p.frameFile[frame]];
  return mode === "file" ? file.slice(file.lastIndexOf("/") + 1) : "";
}

/** Reads the stylesheet once for each name, and decides once for each group. */
function frameColours(p: Profile, mode: ColourMode, get: (name: string) => string): string[] {
  const read = new Map<string, string>();
  const groups = new Map<string, string>();
  const colours = new Array<string>(p.frameFunction.length);
  const byName = (name: string): string => {
    let colour = read.get(name);
    if (colour === undefined) read.set(name, (colour = get(name)));
    return colour;
  };
  for (let i = 0; i < colours.length; i++) {
    if (mode === "self") {
      colours[i] = byName(`--heat${heatOf(p.functionFlat[p.frameFunction[i]], p.valueTotal)}`);
      continue;
    }
    const group = groupOf(p, i, mode);
    let colour = groups.get(group);
    if (colour === undefined) groups.set(group, (colour = byName(cssName(toneOf(group)))));
    colours[i] = colour;
  }
  return colours;
}

let last: { p: Profile; look: string; palette: Palette } | undefined;

/** The flame graph and its minimap ask one after the other: the same one is given to both. Boxes
 * that are not shown are as the background. */
export function readPalette(p: Profile, mode: ColourMode, dropped?: Uint8Array): Palette {
  const style = getComputedStyle(document.documentElement);
  const get = (name: string): string => style.getPropertyValue(name).trim();
  const look = [mode, !dropped, get("--bg"), get("--frame-text"), get("--m0")].join("\n");
  if (last?.p !== p || last.look !== look)
    last = { p, look, palette: withoutBoxes(makePalette(p, mode, get), p, dropped) };
  return last.palette;
}

function makePalette(p: Profile, mode: ColourMode, get: (name: string) => string): Palette {
  const plain = {
    background: get("--bg"),
    text: get("--frame-text"),
    root: get("--frame-root"),
    run: get("--frame-run"),
    dim: get("--frame-dim"),
    dimText: get("--frame-dim-text"),
    accent: get("--accent"),
    font: `12px ${get("--mono")}`,
    frame: frameColours(p, mode, get),
  };
  const { sides } = p;
  if (!sides) return { ...plain, ink: inksOf(plain) };
  const steps = new Map<number, string>();
  for (let step = -5; step <= 5; step++) steps.set(step, get(changeName(step)));
  const inks = new Map([...steps.values()].map((c) => [c, inkOf(c)]));
  const node = Array.from(sides.nodeBefore, (before, i) =>
    String(steps.get(changeStep(before, sides.nodeAfter[i]))),
  );
  const nodeInk = Uint32Array.from(node, (c) => inks.get(c) ?? 0);
  return { ...plain, node, ink: { ...inksOf(plain), node: nodeInk } };
}

function withoutBoxes(palette: Palette, p: Profile, dropped: Uint8Array | undefined): Palette {
  if (!dropped) return palette;
  const { frame } = p.tree;
  const node = Array.from(dropped, (gone, i) =>
    gone ? palette.background : colourOf(palette, frame[i], i),
  );
  const nodeInk = Uint32Array.from(dropped, (gone, i) =>
    gone ? palette.ink.background : inkOfFrame(palette.ink, frame[i], i),
  );
  return { ...palette, node, dropped, ink: { ...palette.ink, node: nodeInk } };
}

/** The variable of a step of change. */
export function changeName(step: number): string {
  return step === 0 ? "--same" : `--${step < 0 ? "less" : "more"}${Math.abs(step)}`;
}

function inksOf(colours: Omit<Palette, "ink">): Inks {
  return {
    background: inkOf(colours.background),
    text: inkOf(colours.text),
    root: inkOf(colours.root),
    run: inkOf(colours.run),
    dim: inkOf(colours.dim),
    dimText: inkOf(colours.dimText),
    accent: inkOf(colours.accent),
    frame: new Uint32Array(colours.frame.map(inkOf)),
  };
}

export function colourOf(palette: Palette, frame: number, node: number): string {
  if (palette.node) return palette.node[node];
  if (frame === ROOT_FRAME) return palette.root;
  if (frame === LEFT_OUT_FRAME) return palette.run;
  return palette.frame[frame];
}

export function inkOfFrame(inks: Inks, frame: number, node: number): number {
  if (inks.node) return inks.node[node];
  if (frame === ROOT_FRAME) return inks.root;
  if (frame === LEFT_OUT_FRAME) return inks.run;
  return inks.frame[frame];
}
