// SPDX-License-Identifier: MIT
//
// Moves the window of a flame graph from where it is to where it should be, in 120 ms, or at once
// for those who asked for less motion. A free window (wheel, minimap) follows the hand without
// delay.

import type { Span } from "./tree.ts";

const DURATION_MS = 120;

export interface Motion {
  go(to: Span): void;
  advance(now: number): void;
  current(): Span;
}

export function startMotion(start: Span, request: () => void): Motion {
  let from = start;
  let to = start;
  let now = start;
  let began = -1; /* -1: at rest, 0: to begin with the next frame */
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  return {
    go(next) {
      const jump = still.matches || to.to === to.from || sameSize(now, next);
      from = jump ? next : now;
      to = next;
      now = from;
      began = jump ? -1 : 0;
      request();
    },
    advance(time) {
      if (began < 0) return;
      if (began === 0) began = time;
      const part = Math.min(1, (time - began) / DURATION_MS);
      const ease = 1 - (1 - part) ** 3;
      now = {
        from: from.from + (to.from - from.from) * ease,
        to: from.to + (to.to - from.to) * ease,
      };
      if (part === 1) began = -1;
      else request();
    },
    current: () => now,
  };
}

/** Panning, and small steps of a wheel. */
function sameSize(a: Span, b: Span): boolean {
  const ratio = (b.to - b.from) / (a.to - a.from);
  return ratio > 0.6 && ratio < 1.6;
}
