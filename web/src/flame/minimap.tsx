// SPDX-License-Identifier: MIT
//
// The whole graph in 24 pixels: where the window is, and where the matches are. Dragging moves the
// window.

import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Profile } from "../data/profile.ts";
import { droppedBoxes } from "../settings.ts";
import { colouring, route } from "../state.ts";
import { lookAt } from "./actions.ts";
import type { Graph } from "./graph.ts";
import { colourOf, readPalette, type Palette } from "./palette.ts";
import { visibleBoxes } from "./tree.ts";

const HEIGHT = 24;

/** Few stacks are as deep as the deepest: rows end where less than 2 % of the whole goes on. */
function tellingDepths(p: Profile): number {
  const { levelStart, depths, width } = p.tree;
  for (let d = depths - 1; d > 0; d--) {
    let sum = 0;
    for (let i = levelStart[d]; i < levelStart[d + 1]; i++) sum += width[i];
    if (sum >= width[0] * 0.02) return d + 1;
  }
  return 1;
}

function drawWhole(
  c: CanvasRenderingContext2D,
  { p, matches }: Graph,
  palette: Palette,
  pixels: number,
): void {
  c.fillStyle = palette.background;
  c.fillRect(0, 0, pixels, HEIGHT);
  const rows = tellingDepths(p);
  const row = Math.min(3, (HEIGHT - 4) / rows);
  const found = matches.peek();
  const port = {
    span: { from: 0, to: p.tree.width[0] },
    pixels,
    firstDepth: 0,
    lastDepth: rows - 1,
    minPixels: 1,
  };
  visibleBoxes(p.tree, port, (box) => {
    const hit = found && found.before[box.node + box.count] > found.before[box.node];
    c.fillStyle = found
      ? palette.dim
      : box.count > 1
        ? palette.run
        : colourOf(palette, p.tree.frame[box.node], box.node);
    c.fillRect(box.left, box.depth * row, box.right - box.left, row);
    if (!hit) return;
    c.fillStyle = palette.accent;
    c.fillRect(box.left, HEIGHT - 4, Math.max(1, box.right - box.left), 4);
  });
}

/** Outside the window everything is veiled. */
function drawWindow(
  c: CanvasRenderingContext2D,
  { p, zoom }: Graph,
  palette: Palette,
  pixels: number,
): void {
  const { span } = zoom.peek();
  const scale = pixels / p.tree.width[0];
  const left = span.from * scale;
  const right = Math.max(span.to * scale, left + 2);
  c.globalAlpha = 0.65;
  c.fillStyle = palette.background;
  c.fillRect(0, 0, left, HEIGHT);
  c.fillRect(right, 0, pixels - right, HEIGHT);
  c.globalAlpha = 1;
  if (right - left >= pixels - 0.5) return;
  c.strokeStyle = palette.accent;
  c.strokeRect(left + 0.5, 0.5, Math.max(right - left - 1, 1), HEIGHT - 1);
}

function attach(g: Graph, canvas: HTMLCanvasElement): () => void {
  const { p, matches, zoom } = g;
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) return () => undefined;
  const picture = document.createElement("canvas"); /* the graph without the window */
  let palette = readPalette(p, route.peek().colour, droppedBoxes(p));
  let stale = true;
  let frame = 0;

  function draw(): void {
    frame = 0;
    const ratio = devicePixelRatio || 1;
    const pixels = canvas.clientWidth;
    if (!pixels) return;
    const [w, h] = [Math.round(pixels * ratio), Math.round(HEIGHT * ratio)];
    if (stale) palette = readPalette(p, route.peek().colour, droppedBoxes(p));
    if (stale || picture.width !== w) {
      [picture.width, picture.height] = [w, h];
      const c = picture.getContext("2d", { alpha: false });
      c?.setTransform(ratio, 0, 0, ratio, 0, 0);
      if (c) drawWhole(c, g, palette, pixels);
      stale = false;
    }
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    context?.setTransform(1, 0, 0, 1, 0, 0);
    context?.drawImage(picture, 0, 0);
    context?.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (context) drawWindow(context, g, palette, pixels);
  }
  function request(): void {
    if (!frame) frame = requestAnimationFrame(draw);
  }
  function redo(): void {
    stale = true;
    request();
  }
  const size = new ResizeObserver(redo);
  size.observe(canvas);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redo);
  const ends = [
    effect(() => {
      zoom.value;
      request();
    }),
    effect(() => {
      [matches.value, colouring.value];
      queueMicrotask(redo);
    }),
    handleDrag(g, canvas),
  ];
  return () => {
    cancelAnimationFrame(frame);
    size.disconnect();
    dark.removeEventListener("change", redo);
    for (const end of ends) end();
  };
}

function handleDrag(g: Graph, canvas: HTMLCanvasElement): () => void {
  const { p, zoom } = g;
  const off = new AbortController();
  const { signal } = off;
  let grip = -1; /* where the window was taken, in value units from its left edge */

  function position(e: PointerEvent): number {
    const at = canvas.getBoundingClientRect();
    return ((e.clientX - at.left) / at.width) * p.tree.width[0];
  }
  canvas.addEventListener(
    "pointerdown",
    (e) => {
      const { span } = zoom.peek();
      const size = span.to - span.from;
      const at = position(e);
      grip = at >= span.from && at < span.to ? at - span.from : size / 2;
      canvas.setPointerCapture(e.pointerId);
      lookAt(g, { from: at - grip, to: at - grip + size });
    },
    { signal },
  );
  canvas.addEventListener(
    "pointermove",
    (e) => {
      if (grip < 0) return;
      const { span } = zoom.peek();
      const from = position(e) - grip;
      lookAt(g, { from, to: from + span.to - span.from });
    },
    { signal },
  );
  canvas.addEventListener("lostpointercapture", () => (grip = -1), { signal });
  return () => off.abort();
}

export function Minimap(props: { g: Graph }) {
  const { g } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => (canvas.current ? attach(g, canvas.current) : undefined), [g]);
  return <canvas ref={canvas} class="minimap" aria-hidden="true" />;
}
