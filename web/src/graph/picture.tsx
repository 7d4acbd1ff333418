// SPDX-License-Identifier: MIT
//
// The drawing as elements of the page, in the page's colours: a node is as warm as its share with
// callees, its text as large as its own; what was searched for stands out.

import { HEAT_STEPS } from "../flame/palette.ts";
import type { DrawnGraph } from "./data.ts";
import type { EdgeShape, NodeShape, Text } from "./drawing.ts";

/** "heat-3"; of what became less "less-3", more "more-3". */
export function toneOfShare(value: number, total: number, difference: boolean): string {
  const share = total === 0 ? 0 : Math.abs(value / total);
  let step = 0;
  while (step < HEAT_STEPS.length && share >= HEAT_STEPS[step]) step++;
  if (!difference) return `heat-${step}`;
  return value === 0 || step === 0 ? "heat-0" : `${value < 0 ? "less" : "more"}-${step}`;
}

function Texts(props: { texts: readonly Text[] }) {
  return (
    <>
      {props.texts.map((t, i) => (
        <text
          key={i}
          x={t.x}
          y={t.y}
          font-size={t.size}
          text-anchor={t.middle ? "middle" : "start"}
        >
          {t.text}
        </text>
      ))}
    </>
  );
}

export interface Marks {
  chosen: number;
  matches: ReadonlySet<number> | undefined;
  difference: boolean;
}

function Node(props: { g: DrawnGraph; n: NodeShape; marks: Marks }) {
  const { g, n, marks } = props;
  const node = g.nodes[n.id - 1];
  const tone = n.part ? "part" : toneOfShare(node.cum, g.total, marks.difference);
  const state = [
    marks.chosen === n.id && !n.part ? "chosen" : "",
    marks.matches ? (marks.matches.has(n.id) ? "match" : "dim") : "",
  ];
  return (
    <g class={`graph-node ${tone} ${state.join(" ")}`} data-node={n.id}>
      {n.shapes.map((d, i) => (
        <path key={i} d={d} class={i === 0 ? "outline" : "side"} />
      ))}
      <Texts texts={n.texts} />
    </g>
  );
}

function Edge(props: { g: DrawnGraph; e: EdgeShape; marks: Marks }) {
  const { g, e, marks } = props;
  const edge = g.byTitle.get(e.title);
  const tone = edge ? toneOfShare(edge.weight, g.total, marks.difference) : "part";
  const { chosen, matches } = marks;
  const near = chosen > 0 && (e.from === chosen || e.to === chosen);
  const dim = matches && !(matches.has(e.from) && matches.has(e.to));
  return (
    <g class={`graph-edge ${tone}${near ? " near" : ""}${dim ? " dim" : ""}`}>
      <path d={e.path} class={e.dotted ? "line dotted" : "line"} stroke-width={e.width} />
      {e.heads.map((d, i) => (
        <path key={i} d={d} class="head" />
      ))}
      <Texts texts={e.texts} />
    </g>
  );
}

export function Picture(props: { g: DrawnGraph; marks: Marks }) {
  const { g, marks } = props;
  const { nodes, edges, origin } = g.drawing;
  return (
    <g transform={`translate(${origin.x} ${origin.y})`}>
      {edges.map((e, i) => (
        <Edge key={i} g={g} e={e} marks={marks} />
      ))}
      {nodes.map((n, i) => (
        <Node key={i} g={g} n={n} marks={marks} />
      ))}
    </g>
  );
}
