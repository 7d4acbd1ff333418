// SPDX-License-Identifier: MIT
//
// The call graph as the server has it (src/web/graph_data.h), and its drawing.

import { layOut } from "./engine.ts";
import { readDrawing, type Drawing } from "./drawing.ts";

export interface GraphNode {
  name: string; // as printed
  function: string;
  flat: number;
  cum: number;
}

export interface GraphEdge {
  from: number; // numbers of nodes, from 1
  to: number;
  weight: number;
  inlined: boolean;
  residual: boolean; // functions between the two are not shown
}

export interface CallGraph {
  unit: string;
  total: number;
  legend: string[];
  nodes: GraphNode[];
  edges: GraphEdge[];
  dot: string;
  svg: string | null;
  svg_error?: string;
}

export interface DrawnGraph extends CallGraph {
  drawing: Drawing;
  byTitle: Map<string, GraphEdge>; // "N1->N2"
}

/** Drawn by the server's dot if it has one, else here. */
export async function readGraph(answer: Response): Promise<DrawnGraph> {
  const g = (await answer.json()) as CallGraph;
  if (g.svg_error) throw new Error(`${g.svg_error}: ask for fewer nodes.`);
  const drawing = readDrawing(g.nodes.length === 0 ? "<svg/>" : (g.svg ?? (await layOut(g.dot))));
  const byTitle = new Map(g.edges.map((e) => [`N${e.from}->N${e.to}`, e]));
  return { ...g, drawing, byTitle };
}
