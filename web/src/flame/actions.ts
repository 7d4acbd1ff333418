// SPDX-License-Identifier: MIT
//
// What one can do with a flame graph, by mouse or by key: zoom, walk, go from match to match,
// refine, copy.

import {
  activeGraph,
  addRefinement,
  mainGraph,
  navigate,
  profile,
  query,
  reveal,
  route,
} from "../state.ts";
import { framePattern, functionPattern } from "../data/pattern.ts";
import { findFunction, functionNameOf, nodeFunction, nodeName } from "../data/profile.ts";
import type { Profile } from "../data/profile.ts";
import type { RefinementKind } from "../route.ts";
import type { Graph } from "./graph.ts";
import { placeOf, writeRun, writeSpan } from "./place.ts";
import { matchStops, type Matches } from "./search.ts";
import { depthOf, pathTo, type Box, type Span } from "./tree.ts";

function selectionOf(p: Profile, node: number): { at: string; selected: string } {
  const fn = nodeFunction(p, node);
  return { at: placeOf(p, node), selected: fn < 0 ? "" : functionNameOf(p, fn) };
}

/** Makes the box the chosen one, in all views, and shows it. */
export function choose(g: Graph, node: number): void {
  navigate(selectionOf(g.p, node), "replace");
  reveal.value++;
}

export function zoomTo(g: Graph, node: number, mode: "push" | "replace" = "push"): void {
  navigate({ [g.field]: placeOf(g.p, node), ...selectionOf(g.p, node) }, mode);
  reveal.value++;
}

/** Opens a run of narrow boxes; if it fills the view already, its widest box, the first. */
export function openRun(g: Graph, box: Box): void {
  const text = writeRun(g.p, box.node, box.node + box.count - 1);
  if (text === route.value[g.field]) zoomTo(g, box.node);
  else navigate({ [g.field]: text, ...selectionOf(g.p, box.node) }, "push");
}

/** To the caller of what is zoomed to; false if everything is in view already. */
export function zoomOut(g: Graph, mode: "push" | "replace" = "push"): boolean {
  const text = route.value[g.field];
  if (text === "") return false;
  const { node } = g.zoom.value;
  const isBox = !/[@-]/.test(text);
  const up = isBox ? g.p.tree.parent[node] : node;
  navigate({ [g.field]: placeOf(g.p, up) }, mode);
  reveal.value++;
  return true;
}

export function resetZoom(): void {
  navigate({ zoom: "", zoomCallers: "", zoomCallees: "" }, "push");
  reveal.value++;
}

/** A free window, as by wheel or minimap; it is cut at the graph's edges. */
export function lookAt(g: Graph, span: Span): void {
  const whole = g.p.tree.width[0];
  const size = Math.min(Math.max(span.to - span.from, whole * 1e-9), whole);
  const from = Math.min(Math.max(span.from, 0), whole - size);
  navigate({ [g.field]: writeSpan(g.p, { from, to: from + size }) }, "replace");
}

export type Direction = "up" | "down" | "left" | "right";

/** As it looks: towards the root, to the heaviest box beyond, to the neighbours in the row. */
export function walk(g: Graph, direction: Direction): void {
  const { tree } = g.p;
  const node = g.chosen.value;
  const depth = depthOf(tree, node);
  const toRoot = g.upwards.value ? "down" : "up";
  let next = node;
  if (direction === toRoot) next = tree.parent[node];
  else if (direction === "left") next = Math.max(node - 1, tree.levelStart[depth]);
  else if (direction === "right") next = Math.min(node + 1, tree.levelStart[depth + 1] - 1);
  else if (tree.firstChild[node] < tree.firstChild[node + 1]) next = tree.firstChild[node];
  if (next === node) return;
  const { span } = g.zoom.value;
  const outside = tree.x[next] >= span.to || tree.x[next] + tree.width[next] <= span.from;
  if (outside) navigate({ [g.field]: placeOf(g.p, tree.parent[next]) }, "push");
  choose(g, next);
}

let stops: { of: Matches; nodes: Int32Array; at: number } | undefined;

/** Goes to the next match, the heaviest first; zooms out where it would not be in view. */
export function stepMatch(by: 1 | -1): void {
  const g = activeGraph.value;
  const found = g?.matches.value;
  if (!g || !found || found.functionCount === 0) return;
  if (stops?.of !== found)
    stops = { of: found, nodes: matchStops(g.p, found), at: by > 0 ? -1 : 0 };
  const n = stops.nodes.length;
  if (n === 0) return;
  stops.at = (stops.at + by + n) % n;
  const node = stops.nodes[stops.at];
  const { span } = g.zoom.value;
  const { tree } = g.p;
  const inside = tree.x[node] >= span.from && tree.x[node] + tree.width[node] <= span.to;
  if (!inside) navigate({ [g.field]: "" }, "push");
  choose(g, node);
}

/** Focus, ignore, hide, show from: of one box. False where no expression could mean it. */
export function refineBy(kind: RefinementKind, g: Graph, node: number): boolean {
  const value = framePattern(g.p, g.p.tree.frame[node]);
  if (value) addRefinement({ kind, value }, selectionOf(g.p, node));
  return value !== "";
}

/** The same of what is chosen; without a choice of what is searched for. */
export function refineChosen(kind: RefinementKind): void {
  const g = activeGraph.value;
  const p = profile.value;
  const { selected } = route.value;
  if (!g || !p) return;
  const fn = selected ? findFunction(p, selected) : -1;
  const value = fn >= 0 ? functionPattern(p, fn) : searchAsPattern();
  if (value) addRefinement({ kind, value });
}

/** What is searched for as the server's expressions are: these tell small letters from capitals. */
export function searchAsPattern(): string {
  const text = query.value;
  return text && !/\p{Lu}/u.test(text) ? `(?i)${text}` : text;
}

function copy(text: string): void {
  void navigator.clipboard?.writeText(text);
}

export function copyName(): void {
  const g = activeGraph.value;
  if (g) copy(route.value.selected || nodeName(g.p, g.chosen.value));
}

/** Leaf first, one a line, as pprof's traces. */
export function copyStackOf(g: Graph, node: number): void {
  const path = pathTo(g.p.tree, node);
  const fromLeaf = g.field === "zoomCallers" || (g === mainGraph.value && route.value.inverted);
  if (!fromLeaf) path.reverse();
  const names = path.filter((n) => g.p.tree.frame[n] >= 0).map((n) => nodeName(g.p, n));
  copy(names.join("\n"));
}

export function copyStack(): void {
  const g = activeGraph.value;
  if (g) copyStackOf(g, g.chosen.value);
}
