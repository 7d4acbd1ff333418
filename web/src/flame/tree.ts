// SPDX-License-Identifier: MIT
//
// Where every box of a flame graph lies. Nodes come breadth first, children of one parent adjacent
// and heaviest first (src/analyze/flame.h), so that the boxes of one depth are a range of indexes
// sorted from left to right: no lists, no recursion, and finding what is on the screen is a binary
// search. Positions are in units of the value; a view maps them to pixels.

export interface Tree {
  count: number;
  parent: Int32Array;
  frame: Int32Array;
  self: Float64Array;
  total: Float64Array; // with callees
  width: Float64Array; // of the box: total, or the sum of magnitudes where values are negative
  x: Float64Array; // left edge
  firstChild: Int32Array; // children of i: firstChild[i] .. firstChild[i + 1]
  levelStart: Int32Array; // nodes of depth d: levelStart[d] .. levelStart[d + 1]
  depths: number; // levelStart.length - 1
}

export function layoutTree(
  parent: Int32Array,
  frame: Int32Array,
  self: Float64Array,
  weight?: Float64Array,
): Tree {
  const count = parent.length;
  const total = sumUp(parent, self);
  const width = weight ? sumUp(parent, weight) : total;
  const x = new Float64Array(count);
  for (let i = 1; i < count; i++)
    x[i] = i > 1 && parent[i] === parent[i - 1] ? x[i - 1] + width[i - 1] : x[parent[i]];
  const firstChild = firstChildren(parent);
  const levelStart = levels(firstChild, count);
  return {
    count,
    parent,
    frame,
    self,
    total,
    width,
    x,
    firstChild,
    levelStart,
    depths: levelStart.length - 1,
  };
}

/** Every node's own value with those beneath it; parents come before their children. */
export function sumUp(parent: Int32Array, own: Float64Array): Float64Array {
  const sum = own.slice();
  for (let i = parent.length - 1; i > 0; i--) sum[parent[i]] += sum[i];
  return sum;
}

function firstChildren(parent: Int32Array): Int32Array {
  const count = parent.length;
  const first = new Int32Array(count + 1);
  let next = 1;
  for (let i = 0; i < count; i++) {
    while (next < count && parent[next] < i) next++;
    first[i] = next;
    while (next < count && parent[next] === i) next++;
  }
  first[count] = count;
  return first;
}

function levels(firstChild: Int32Array, count: number): Int32Array {
  const starts = [0];
  let start = 0;
  let end = Math.min(1, count);
  while (start < end) {
    starts.push(end);
    const nextEnd = end < count ? firstChild[end] : count;
    start = end;
    end = nextEnd;
  }
  return Int32Array.from(starts);
}

/** The first index in start .. end whose `at` is greater than the limit. */
function upperBound(start: number, end: number, limit: number, at: Float64Array): number {
  while (start < end) {
    const mid = (start + end) >>> 1;
    if (at[mid] > limit) end = mid;
    else start = mid + 1;
  }
  return start;
}

export function depthOf(tree: Tree, node: number): number {
  let low = 0;
  let high = tree.depths;
  while (high - low > 1) {
    const mid = (low + high) >>> 1;
    if (tree.levelStart[mid] <= node) low = mid;
    else high = mid;
  }
  return low;
}

/** The node of a depth whose box is at `position`, or -1 in a gap. */
export function nodeAt(tree: Tree, depth: number, position: number): number {
  if (depth < 0 || depth >= tree.depths) return -1;
  const start = tree.levelStart[depth];
  const node = upperBound(start, tree.levelStart[depth + 1], position, tree.x) - 1;
  return node >= start && position < tree.x[node] + tree.width[node] ? node : -1;
}

export function isAncestor(tree: Tree, ancestor: number, node: number): boolean {
  while (node > ancestor) node = tree.parent[node];
  return node === ancestor;
}

/** Root first, the node last. */
export function pathTo(tree: Tree, node: number): number[] {
  const path = [node];
  while (node > 0) path.push((node = tree.parent[node]));
  return path.reverse();
}

/** What part of the graph is looked at: positions in value units, from the root's left edge. */
export interface Span {
  from: number;
  to: number;
}

export function spanOf(tree: Tree, first: number, last = first): Span {
  return { from: tree.x[first], to: tree.x[last] + tree.width[last] };
}

/** A box on the screen, or a run of boxes that are too narrow to be drawn one by one. */
export interface Box {
  node: number; // the first of a run
  count: number; // nodes in it; 1 is a box
  depth: number;
  left: number; // pixels, cut at the edges of the view
  right: number;
}

export interface ViewPort {
  span: Span;
  pixels: number; // width of the view
  firstDepth: number;
  lastDepth: number; // inclusive
  minPixels: number; // boxes narrower than this are merged
}

/**
 * Calls `draw` for everything visible, row by row and left to right, with one Box that is used
 * again. Runs cost a binary search for each pixel they cover, not a step for each node.
 */
export function visibleBoxes(tree: Tree, port: ViewPort, draw: (box: Box) => void): void {
  const { span, pixels, minPixels } = port;
  const scale = pixels / (span.to - span.from);
  if (!(scale > 0) || !Number.isFinite(scale)) return;
  const box: Box = { node: 0, count: 1, depth: 0, left: 0, right: 0 };
  const { x, width } = tree;
  const narrow = minPixels / scale;
  for (let d = Math.max(0, port.firstDepth); d <= port.lastDepth && d < tree.depths; d++) {
    const start = tree.levelStart[d];
    const end = tree.levelStart[d + 1];
    let i = Math.max(start, upperBound(start, end, span.from, x) - 1);
    while (i < end && x[i] + width[i] <= span.from) i++;
    box.depth = d;
    while (i < end && x[i] < span.to) {
      box.node = i;
      box.left = Math.max(0, (x[i] - span.from) * scale);
      let right = x[i] + width[i];
      i++;
      if (width[i - 1] < narrow) {
        i = endOfRun(tree, i, end, narrow, span.to);
        right = x[i - 1] + width[i - 1];
      }
      box.count = i - box.node;
      box.right = Math.min(pixels, (right - span.from) * scale);
      draw(box);
    }
  }
}

/**
 * A run goes on as long as boxes are narrow and without a visible gap. All boxes that begin within
 * one narrow step of i end where the next begins, so that only the last of them need be looked at.
 */
function endOfRun(tree: Tree, i: number, end: number, narrow: number, to: number): number {
  const { x, width } = tree;
  while (i < end && x[i] < to && width[i] < narrow) {
    if (x[i] - (x[i - 1] + width[i - 1]) >= narrow) break;
    let reach = 1;
    while (i + reach < end && x[i + reach] <= x[i] + narrow) reach *= 2;
    const next = upperBound(i + (reach >> 1), Math.min(end, i + reach), x[i] + narrow, x);
    i = Math.max(i + 1, next - 1);
  }
  return i;
}

/** The widest of the nodes whose frame fits; 0 if there is none. One pass. */
export function heaviestNode(tree: Tree, fits: (frame: number) => boolean): number {
  const { frame, width, count } = tree;
  let best = 0;
  for (let i = 1; i < count; i++)
    if (frame[i] >= 0 && (best === 0 || width[i] > width[best]) && fits(frame[i])) best = i;
  return best;
}
