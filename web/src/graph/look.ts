// SPDX-License-Identifier: MIT
//
// What part of a drawing is looked at: its place and size in the area, and how dragging, wheel,
// pinch and keys change it. Pure.

import type { Box, Drawing } from "./drawing.ts";

export interface Look {
  scale: number; // pixels a point
  x: number; // where the drawing's origin is in the area, pixels
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

const LARGEST = 6;
const MARGIN = 16;
/** Below it the smallest texts cannot be read: a larger drawing begins with its upper part. */
const READABLE = 0.85;

function fitting(d: Drawing, area: Size): number {
  const width = (area.width - 2 * MARGIN) / Math.max(1, d.width);
  const height = (area.height - 2 * MARGIN) / Math.max(1, d.height);
  return Math.min(width, height);
}

function smallest(d: Drawing, area: Size): number {
  return Math.min(0.25, fitting(d, area));
}

/** All of it. */
export function wholeLook(d: Drawing, area: Size): Look {
  const scale = Math.min(1.34, fitting(d, area));
  const top = (area.height - d.height * scale) / 2;
  return { scale, x: (area.width - d.width * scale) / 2, y: Math.max(MARGIN, top) };
}

/** All of it if that can be read, else the heaviest node in the middle, near the top. */
export function firstLook(d: Drawing, area: Size, heaviest: Box | undefined): Look {
  const whole = wholeLook(d, area);
  if (whole.scale >= READABLE || !heaviest) return whole;
  const scale = READABLE;
  const room = area.width - d.width * scale;
  const middle = area.width / 2 - ((heaviest.left + heaviest.right) / 2) * scale;
  const x = room >= 0 ? room / 2 : Math.min(MARGIN, Math.max(room - MARGIN, middle));
  const high = heaviest.top * scale > area.height - 4 * MARGIN;
  return { scale, x, y: high ? area.height / 3 - heaviest.top * scale : MARGIN };
}

/** Larger or smaller; what is at (atX, atY) of the area stays there. */
export function zoomed(look: Look, by: number, at: { x: number; y: number }, least: number): Look {
  const scale = Math.min(LARGEST, Math.max(least, look.scale * by));
  const k = scale / look.scale;
  return { scale, x: at.x - (at.x - look.x) * k, y: at.y - (at.y - look.y) * k };
}

/** Some of the drawing always stays in the area. */
export function kept(look: Look, d: Drawing, area: Size): Look {
  const keep = 3 * MARGIN;
  return {
    scale: look.scale,
    x: Math.min(area.width - keep, Math.max(keep - d.width * look.scale, look.x)),
    y: Math.min(area.height - keep, Math.max(keep - d.height * look.scale, look.y)),
  };
}

/** Moved as little as it takes to have the box in the area. */
export function showing(look: Look, box: Box, area: Size): Look {
  const step = (from: number, to: number, at: number, size: number): number => {
    const low = from * look.scale + at;
    const high = to * look.scale + at;
    if (low < MARGIN) return MARGIN - low;
    return high > size - MARGIN ? Math.max(MARGIN - low, size - MARGIN - high) : 0;
  };
  return {
    scale: look.scale,
    x: look.x + step(box.left, box.right, look.x, area.width),
    y: look.y + step(box.top, box.bottom, look.y, area.height),
  };
}

export { smallest as smallestScale };
