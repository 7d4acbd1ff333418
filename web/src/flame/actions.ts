// SPDX-License-Identifier: MIT
//
// What one can do with a flame graph, by mouse or by key: zoom, walk, go from match to match,
// copy.

import { chosenNode, matches, navigate, profile, reveal, route, zoom } from "../state.ts";
import { nodeFunction, functionNameOf, nodeName, type Profile } from "../data/profile.ts";
import { placeOf, writeRun, writeSpan } from "./place.ts";
import { matchStops, type Matches } from "./search.ts";
import { depthOf, nodeAt, pathTo, type Box, type Span } from "./tree.ts";

function selectionOf(p: Profile, node: number): { at: string; selected: string } {
  const fn = nodeFunction(p, node);
  return { at: placeOf(p, node), selected: fn < 0 ? "" : functionNameOf(p, fn) };
}

/** Makes the box the chosen one, in all views, and shows it. */
export function choose(node: number): void {
  const p = profile.value;
  if (!p) return;
  navigate(selectionOf(p, node), "replace");
  reveal.value++;
}

export function zoomTo(node: number, mode: "push" | "replace" = "push"): void {
  const p = profile.value;
  if (!p) return;
  navigate({ zoom: placeOf(p, node), ...selectionOf(p, node) }, mode);
  reveal.value++;
}

/** Opens a run of narrow boxes; if it fills the view already, its widest box, the first. */
export function openRun(box: Box): void {
  const p = profile.value;
  if (!p) return;
  const text = writeRun(p, box.node, box.node + box.count - 1);
  if (text === route.value.zoom) zoomTo(box.node);
  else navigate({ zoom: text, ...selectionOf(p, box.node) }, "push");
}

/** To the caller of what is zoomed to; false if everything is in view already. */
export function zoomOut(mode: "push" | "replace" = "push"): boolean {
  const p = profile.value;
  if (!p || route.value.view !== "flame" || route.value.zoom === "") return false;
  const { node } = zoom.value;
  const isBox = !/[@-]/.test(route.value.zoom);
  const up = isBox ? p.tree.parent[node] : node;
  navigate({ zoom: placeOf(p, up) }, mode);
  reveal.value++;
  return true;
}

export function resetZoom(): void {
  navigate({ zoom: "" }, "push");
  reveal.value++;
}

/** A free window, as by wheel or minimap; it is cut at the graph's edges. */
export function lookAt(span: Span): void {
  const p = profile.value;
  if (!p) return;
  const whole = p.tree.width[0];
  const size = Math.min(Math.max(span.to - span.from, whole * 1e-9), whole);
  const from = Math.min(Math.max(span.from, 0), whole - size);
  navigate({ zoom: writeSpan(p, { from, to: from + size }) }, "replace");
}

export type Direction = "up" | "down" | "left" | "right";

/** Up is the caller, down the heaviest callee, left and right the neighbours in the row. */
export function walk(direction: Direction): void {
  const p = profile.value;
  if (!p) return;
  const { tree } = p;
  const node = chosenNode.value;
  const depth = depthOf(tree, node);
  let next = node;
  if (direction === "up") next = tree.parent[node];
  if (direction === "down" && tree.firstChild[node] < tree.firstChild[node + 1])
    next = tree.firstChild[node];
  if (direction === "left") next = Math.max(node - 1, tree.levelStart[depth]);
  if (direction === "right") next = Math.min(node + 1, tree.levelStart[depth + 1] - 1);
  if (next === node) return;
  const { span } = zoom.value;
  const outside = tree.x[next] >= span.to || tree.x[next] + tree.width[next] <= span.from;
  if (outside) navigate({ zoom: placeOf(p, tree.parent[next]) }, "push");
  choose(next);
}

let stops: { of: Matches; nodes: Int32Array; at: number } | undefined;

/** Goes to the next match, the heaviest first; zooms out where it would not be in view. */
export function stepMatch(by: 1 | -1): void {
  const p = profile.value;
  const found = matches.value;
  if (!p || !found || found.functionCount === 0) return;
  if (stops?.of !== found) stops = { of: found, nodes: matchStops(p, found), at: by > 0 ? -1 : 0 };
  const n = stops.nodes.length;
  if (n === 0) return;
  stops.at = (stops.at + by + n) % n;
  const node = stops.nodes[stops.at];
  const { span } = zoom.value;
  const { tree } = p;
  const inside = tree.x[node] >= span.from && tree.x[node] + tree.width[node] <= span.to;
  if (!inside) navigate({ zoom: "" }, "push");
  choose(node);
}

/** Which match the last step went to: "2 of 17", or "". */
export function matchPosition(found: Matches | undefined): string {
  if (!found || stops?.of !== found || stops.at < 0) return "";
  return `${stops.at + 1} of ${stops.nodes.length}`;
}

function copy(text: string): void {
  void navigator.clipboard?.writeText(text);
}

export function copyName(): void {
  const p = profile.value;
  if (p) copy(route.value.selected || nodeName(p, chosenNode.value));
}

/** Leaf first, one a line, as pprof's traces. */
export function copyStack(): void {
  const p = profile.value;
  if (!p) return;
  const path = pathTo(p.tree, chosenNode.value).slice(1).reverse();
  copy(path.map((node) => nodeName(p, node)).join("\n"));
}

/** The box at a point of the view, given in value units and rows. */
export function boxAt(p: Profile, depth: number, position: number): number {
  return nodeAt(p.tree, depth, position);
}
