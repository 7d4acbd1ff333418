// SPDX-License-Identifier: MIT
//
// Reads Graphviz' SVG into shapes. Nothing of the document itself comes into the page: only numbers
// and texts that fit what a drawing of dot's has, so that colours are ours and nothing can run.

export interface Text {
  x: number;
  y: number;
  size: number;
  middle: boolean;
  text: string;
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface NodeShape {
  id: number; // N<id>
  part: boolean; // of labels: it hangs below the node
  shapes: string[]; // paths: the outline first
  texts: Text[];
  box: Box;
}

export interface EdgeShape {
  title: string; // "N1->N2"
  from: number;
  to: number;
  path: string;
  width: number;
  dotted: boolean;
  heads: string[];
  texts: Text[];
}

export interface Drawing {
  width: number; // points
  height: number;
  origin: { x: number; y: number }; // of the shapes' coordinates in it; boxes are the drawing's
  nodes: NodeShape[];
  edges: EdgeShape[];
}

const EMPTY_BOX: Box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };

function numbers(text: string | null): number[] {
  return (text?.match(/-?\d+(\.\d+)?(e-?\d+)?/g) ?? []).map(Number);
}

/** A polygon's or polyline's points as a path, "" if they are none. */
function pathOf(e: Element): string {
  const p = numbers(e.getAttribute("points"));
  if (p.length < 4) return "";
  const steps: string[] = [];
  for (let i = 0; i + 1 < p.length; i += 2) steps.push(`${i ? "L" : "M"}${p[i]},${p[i + 1]}`);
  return steps.join("") + (e.localName === "polygon" ? "Z" : "");
}

function textsOf(e: Element): Text[] {
  return [...e.querySelectorAll("text")].map((t) => ({
    x: Number(t.getAttribute("x")),
    y: Number(t.getAttribute("y")),
    size: Number(t.getAttribute("font-size") ?? 14),
    middle: t.getAttribute("text-anchor") === "middle",
    text: t.textContent ?? "",
  }));
}

function grow(box: Box, points: number[]): Box {
  const next = { ...box };
  for (let i = 0; i + 1 < points.length; i += 2) {
    next.left = Math.min(next.left, points[i]);
    next.right = Math.max(next.right, points[i]);
    next.top = Math.min(next.top, points[i + 1]);
    next.bottom = Math.max(next.bottom, points[i + 1]);
  }
  return next;
}

function moved(box: Box, by: { x: number; y: number }): Box {
  const { left, top, right, bottom } = box;
  return { left: left + by.x, top: top + by.y, right: right + by.x, bottom: bottom + by.y };
}

function readNode(e: Element, title: string): NodeShape | undefined {
  const m = /^N(?:N)?(\d+)(_\d+)*$/.exec(title);
  const lines = [...e.querySelectorAll("polygon, polyline")];
  if (!m || lines.length === 0) return undefined;
  return {
    id: Number(m[1]),
    part: title !== `N${m[1]}`,
    shapes: lines.map(pathOf),
    texts: textsOf(e),
    box: lines.reduce((box, l) => grow(box, numbers(l.getAttribute("points"))), EMPTY_BOX),
  };
}

function readEdge(e: Element, title: string): EdgeShape | undefined {
  const m = /^N+(\d+)(?:_\d+)*->N+(\d+)(?:_\d+)*$/.exec(title);
  const line = e.querySelector("path");
  const path = line?.getAttribute("d") ?? "";
  if (!m || !line || !/^[MCLZ\d\s.,e-]*$/.test(path)) return undefined;
  return {
    title,
    from: Number(m[1]),
    to: Number(m[2]),
    path,
    width: Number(line.getAttribute("stroke-width") ?? 1),
    dotted: line.hasAttribute("stroke-dasharray"),
    heads: [...e.querySelectorAll("polygon")].map(pathOf),
    texts: textsOf(e),
  };
}

/** Throws an Error with a sentence if the text is no drawing. */
export function readDrawing(svg: string): Drawing {
  const document_ = new DOMParser().parseFromString(svg, "image/svg+xml");
  const root = document_.documentElement;
  if (root.localName !== "svg") throw new Error("What was drawn cannot be read as a graph.");
  const [, , width = 0, height = 0] = numbers(root.getAttribute("viewBox"));
  const move = /translate\(([\d.-]+)[ ,]([\d.-]+)\)/.exec(
    root.querySelector("g.graph")?.getAttribute("transform") ?? "",
  );
  const origin = { x: Number(move?.[1] ?? 0), y: Number(move?.[2] ?? 0) };
  const drawing: Drawing = { width, height, origin, nodes: [], edges: [] };
  for (const g of root.querySelectorAll("g.node, g.edge")) {
    const title = g.querySelector("title")?.textContent ?? "";
    if (g.classList.contains("node")) {
      const node = readNode(g, title);
      if (node) drawing.nodes.push({ ...node, box: moved(node.box, origin) });
    } else {
      const edge = readEdge(g, title);
      if (edge) drawing.edges.push(edge);
    }
  }
  return drawing;
}
