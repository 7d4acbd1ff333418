// SPDX-License-Identifier: MIT
//
// What the menu of a box offers.

import { navigate, openCalls } from "../state.ts";
import { trendSource } from "../tree/trend.ts";
import { framePattern } from "../data/pattern.ts";
import { nodeFunction, nodeName } from "../data/profile.ts";
import type { MenuItem, Menu } from "../ui/menu.tsx";
import { copyStackOf, openRun, refineBy, zoomTo } from "./actions.ts";
import type { Graph } from "./graph.ts";
import type { Box } from "./tree.ts";

export function boxMenu(g: Graph, box: Pick<Box, "node" | "count">): Menu {
  const { p } = g;
  const { node, count } = box;
  const name = nodeName(p, node);
  const fn = nodeFunction(p, node);
  if (count > 1) {
    const run = { ...box, depth: 0, left: 0, right: 0 };
    return { title: `${count} calls`, items: [{ label: "Open", act: () => openRun(g, run) }] };
  }
  const items: MenuItem[] = [
    { label: "Zoom", key: "Enter", act: () => zoomTo(g, node) },
    { label: "Copy stack", key: "Y", act: () => copyStackOf(g, node) },
  ];
  if (fn < 0) return { title: name, items };
  items.splice(
    1,
    0,
    { label: "Callers and callees", key: "c", act: () => openCalls(name) },
    { label: "Source", key: "s", act: () => navigate({ view: "source", selected: name }, "push") },
  );
  const trends = trendSource.peek();
  if (trends) items.push({ label: "Trend", key: "l", act: () => trends.open(name) });
  items.push({
    label: "Copy name",
    key: "y",
    act: () => void navigator.clipboard?.writeText(name),
  });
  if (framePattern(p, p.tree.frame[node]) === "") return { title: name, items };
  items.splice(
    3,
    0,
    { label: "Focus", key: "f", act: () => refineBy("f", g, node) },
    { label: "Ignore", key: "i", act: () => refineBy("i", g, node) },
    { label: "Hide", key: "h", act: () => refineBy("h", g, node) },
    { label: "Show from", act: () => refineBy("sf", g, node) },
  );
  return { title: name, items };
}
