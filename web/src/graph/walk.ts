// SPDX-License-Identifier: MIT
//
// From node to node by the arrow keys: up to the heaviest caller, down to the heaviest callee, and
// to the neighbours on either side. Pure.

import type { DrawnGraph } from "./data.ts";
import type { NodeShape } from "./drawing.ts";

export type Way = "up" | "down" | "left" | "right";

function middle(n: NodeShape): { x: number; y: number } {
  return { x: (n.box.left + n.box.right) / 2, y: (n.box.top + n.box.bottom) / 2 };
}

function beside(g: DrawnGraph, from: NodeShape, way: "left" | "right"): number {
  const at = middle(from);
  let best = 0;
  let least = Infinity;
  for (const n of g.drawing.nodes) {
    if (n.part || n.id === from.id) continue;
    const m = middle(n);
    const ahead = way === "left" ? at.x - m.x : m.x - at.x;
    if (ahead <= 0) continue;
    const far = ahead + 6 * Math.abs(m.y - at.y); /* a row is worth more than what is near */
    if (far < least) [least, best] = [far, n.id];
  }
  return best;
}

/** The number of the node to go to, 0 if there is none. */
export function nextNode(g: DrawnGraph, id: number, way: Way): number {
  const from = g.drawing.nodes.find((n) => n.id === id && !n.part);
  if (!from) return g.nodes.length > 0 ? 1 : 0;
  if (way === "left" || way === "right") return beside(g, from, way);
  let best = 0;
  let most = -1;
  for (const e of g.edges) {
    const [here, there] = way === "up" ? [e.to, e.from] : [e.from, e.to];
    if (here !== id || there === id || Math.abs(e.weight) <= most) continue;
    most = Math.abs(e.weight);
    best = there;
  }
  return best;
}
