// SPDX-License-Identifier: MIT
//
// Which rows of the tree are there, and in which order. Pure.

import type { Tree } from "../flame/tree.ts";

/** The way down along the heaviest child, while it is most of its parent and of what counts. */
export function hottestPath(tree: Tree, from: number): number[] {
  const path: number[] = [];
  for (let node = from; ;) {
    const first = tree.firstChild[node];
    path.push(node);
    if (first >= tree.firstChild[node + 1]) return path;
    if (tree.width[first] < tree.width[0] * 0.005) return path;
    node = first;
  }
}

export interface TreeRows {
  node: Int32Array;
  depth: Uint16Array; // beneath the root
}

/** Depth first; the children of those in `open`. No recursion: stacks may be deep. */
export function treeRows(tree: Tree, open: ReadonlySet<number>): TreeRows {
  const nodes: number[] = [];
  const depths: number[] = [];
  const stack: number[] = [0];
  const level: number[] = [0];
  while (stack.length) {
    const node = stack.pop() as number;
    const depth = level.pop() as number;
    nodes.push(node);
    depths.push(Math.min(depth, 65535));
    if (!open.has(node)) continue;
    for (let c = tree.firstChild[node + 1] - 1; c >= tree.firstChild[node]; c--) {
      stack.push(c);
      level.push(depth + 1);
    }
  }
  return { node: Int32Array.from(nodes), depth: Uint16Array.from(depths) };
}
