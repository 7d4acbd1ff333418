// SPDX-License-Identifier: MIT
//
// The colours of the stylesheet as the canvas needs them, read once for each theme.

import { toneOf, type Tone } from "../data/module.ts";
import type { ColourMode } from "../route.ts";
import { LEFT_OUT_FRAME, ROOT_FRAME, type Profile } from "../data/profile.ts";

export interface Palette {
  background: string;
  text: string;
  root: string;
  run: string;
  dim: string;
  dimText: string;
  accent: string;
  muted: string;
  line: string;
  font: string;
  frame: string[]; // by frame
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

function cssNameOf(p: Profile, frame: number, mode: ColourMode): string {
  if (mode === "self") return `--heat${heatOf(p.functionFlat[p.frameFunction[frame]], p.total)}`;
  return cssName(toneOf(groupOf(p, frame, mode)));
}

export function readPalette(p: Profile, mode: ColourMode): Palette {
  const style = getComputedStyle(document.documentElement);
  const get = (name: string): string => style.getPropertyValue(name).trim();
  const read = new Map<string, string>();
  const frame = Array.from(p.frameFunction, (_, i) => {
    const name = cssNameOf(p, i, mode);
    let colour = read.get(name);
    if (!colour) read.set(name, (colour = get(name)));
    return colour;
  });
  return {
    background: get("--bg"),
    text: get("--frame-text"),
    root: get("--frame-root"),
    run: get("--frame-run"),
    dim: get("--frame-dim"),
    dimText: get("--frame-dim-text"),
    accent: get("--accent"),
    muted: get("--muted"),
    line: get("--line"),
    font: `12px ${get("--mono")}`,
    frame,
  };
}

export function colourOf(palette: Palette, frame: number): string {
  if (frame === ROOT_FRAME) return palette.root;
  if (frame === LEFT_OUT_FRAME) return palette.run;
  return palette.frame[frame];
}
