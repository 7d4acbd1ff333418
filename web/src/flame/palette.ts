// SPDX-License-Identifier: MIT
//
// The colours of the stylesheet as the canvas needs them, read once for each theme.

import { toneOf, type Tone } from "../data/module.ts";
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

export function readPalette(p: Profile): Palette {
  const style = getComputedStyle(document.documentElement);
  const get = (name: string): string => style.getPropertyValue(name).trim();
  const byGroup = new Map<string, string>();
  const frame = p.frameGroup.map((group) => {
    let colour = byGroup.get(group);
    if (!colour) byGroup.set(group, (colour = get(cssName(toneOf(group)))));
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
