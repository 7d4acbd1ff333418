// SPDX-License-Identifier: MIT
//
// The flame graph: a canvas that stays in view while its rows scroll beneath it, the pointer and
// the keys on it, and its twin for those who do not see it.

import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { colouring, half, hovered, navigate, reveal, route } from "../state.ts";
import { droppedBoxes } from "../settings.ts";
import { openMenu } from "../ui/menu.tsx";
import { lookAt, openRun, walk, zoomOut, zoomTo, type Direction } from "./actions.ts";
import {
  boxUnder,
  contentHeight,
  drawFlame,
  makeBrush,
  ROW,
  rowTop,
  type Brush,
  type Scene,
} from "./draw.ts";
import { boxMenu } from "./box_menu.ts";
import type { Graph } from "./graph.ts";
import { readPalette } from "./palette.ts";
import { startMotion } from "./motion.ts";
import { depthOf } from "./tree.ts";
import { Twin } from "./twin.tsx";

const arrows: Record<string, Direction> = {
  ArrowUp: "up",
  ArrowDown: "down",
  ArrowLeft: "left",
  ArrowRight: "right",
};

/** Everything that lives as long as the canvas does. Returns what ends it. */
function attach(g: Graph, area: HTMLElement, canvas: HTMLCanvasElement): () => void {
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) return () => undefined;
  const { p } = g;
  const skipRoot = g.field === "zoomCallers";
  let palette = readPalette(p, route.peek().colour, droppedBoxes(p));
  let brush: Brush | undefined;
  let frame = 0;
  const motion = startMotion(g.zoom.peek().span, requestDraw);

  function scene(): Scene {
    return {
      p,
      palette,
      span: motion.current(),
      width: area.clientWidth,
      height: area.clientHeight,
      scroll: area.scrollTop,
      upwards: g.upwards.peek(),
      skipRoot,
      matches: g.matches.peek(),
      chosen: g.chosen.peek(),
      chosenFunction: g.chosenFunction.peek(),
      hovered: hovered.peek()?.p === p ? (hovered.peek()?.node ?? -1) : -1,
    };
  }
  function draw(now: number): void {
    frame = 0;
    motion.advance(now);
    const ratio = devicePixelRatio || 1;
    const s = scene();
    const [w, h] = [Math.round(s.width * ratio), Math.round(s.height * ratio)];
    if (w < 1 || h < 1) return;
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
      brush = undefined;
    }
    brush ??= makeBrush(s.width, s.height, ratio, palette);
    drawFlame(brush, s);
    context?.putImageData(brush.pixels.image, 0, 0);
    area.dataset.drawn = String(Number(area.dataset.drawn ?? 0) + 1);
  }
  function requestDraw(): void {
    if (!frame) frame = requestAnimationFrame(draw);
  }
  function revealChosen(): void {
    const height = area.clientHeight;
    const depth = depthOf(p.tree, g.chosen.peek());
    const top = rowTop({ p, upwards: g.upwards.peek(), skipRoot, height }, depth);
    const rows = 3 * ROW; /* keep some of the neighbours in view */
    if (top < area.scrollTop + ROW) area.scrollTop = Math.max(0, top - rows);
    else if (top + 2 * ROW > area.scrollTop + area.clientHeight)
      area.scrollTop = top + rows - area.clientHeight;
  }
  const size = new ResizeObserver(requestDraw);
  size.observe(area);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  function recolour(): void {
    palette = readPalette(p, route.peek().colour, droppedBoxes(p));
    brush = undefined;
    requestDraw();
  }
  dark.addEventListener("change", recolour);
  area.addEventListener("scroll", requestDraw, { passive: true });
  const ends = [
    effect(() => motion.go(g.zoom.value.span)),
    effect(() => {
      [g.matches.value, g.chosen.value, g.chosenFunction.value, hovered.value];
      requestDraw();
    }),
    effect(() => {
      area.scrollTop = g.upwards.value ? area.scrollHeight : 0;
      revealChosen();
      requestDraw();
    }),
    effect(() => {
      if (reveal.value) revealChosen();
    }),
    effect(() => {
      colouring.value;
      queueMicrotask(recolour);
    }),
    handlePointer(g, area, scene),
  ];
  revealChosen();
  return () => {
    cancelAnimationFrame(frame);
    size.disconnect();
    dark.removeEventListener("change", recolour);
    area.removeEventListener("scroll", requestDraw);
    for (const end of ends) end();
  };
}

/** Mouse, pen and touch. A double click undoes what its first click did, and goes one level up. */
function handlePointer(g: Graph, area: HTMLElement, scene: () => Scene): () => void {
  const off = new AbortController();
  const { signal } = off;
  let before = "";

  function boxOf(e: MouseEvent) {
    const at = area.getBoundingClientRect();
    return boxUnder(scene(), e.clientX - at.left, e.clientY - at.top);
  }
  function onMove(e: PointerEvent): void {
    if (e.pointerType === "touch") return;
    const box = boxOf(e);
    const was = hovered.peek();
    if (was?.p === g.p && was.node === box?.node && was.count === box.count) return;
    hovered.value = box && { p: g.p, node: box.node, count: box.count };
  }
  function onClick(e: MouseEvent): void {
    if (e.detail > 1) {
      navigate({ [g.field]: before }, "replace");
      zoomOut(g, "replace");
      return;
    }
    before = route.peek()[g.field];
    const box = boxOf(e);
    if (!box) return;
    if (box.count > 1) openRun(g, box);
    else zoomTo(g, box.node);
  }
  function onContextMenu(e: MouseEvent): void {
    const box = boxOf(e);
    if (!box) return;
    e.preventDefault();
    openMenu(boxMenu(g, box), e.clientX, e.clientY, area);
  }
  function onWheel(e: WheelEvent): void {
    const s = scene();
    const unit = (s.span.to - s.span.from) / s.width;
    const sideways = e.shiftKey ? e.deltaY || e.deltaX : e.deltaX;
    if (e.ctrlKey) {
      e.preventDefault();
      const at = s.span.from + (e.clientX - area.getBoundingClientRect().left) * unit;
      const factor = Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 150);
      const size = Math.min((s.span.to - s.span.from) * factor, s.p.tree.width[0]);
      const part = (at - s.span.from) / (s.span.to - s.span.from);
      lookAt(g, { from: at - part * size, to: at - part * size + size });
    } else if (Math.abs(sideways) > Math.abs(e.shiftKey ? 0 : e.deltaY)) {
      e.preventDefault();
      lookAt(g, { from: s.span.from + sideways * unit, to: s.span.to + sideways * unit });
    }
  }
  area.addEventListener("pointermove", onMove, { signal });
  area.addEventListener("pointerleave", () => (hovered.value = undefined), { signal });
  area.addEventListener("click", onClick, { signal });
  area.addEventListener("contextmenu", onContextMenu, { signal });
  area.addEventListener("wheel", onWheel, { signal, passive: false });
  return () => off.abort();
}

/** Where a menu that is asked for by the keyboard opens: at the chosen box. */
function openMenuAtChosen(g: Graph, area: HTMLElement): void {
  const at = area.getBoundingClientRect();
  const node = g.chosen.peek();
  const { span } = g.zoom.peek();
  const depth = depthOf(g.p.tree, node);
  const part = (g.p.tree.x[node] - span.from) / (span.to - span.from);
  const scene = {
    p: g.p,
    upwards: g.upwards.peek(),
    skipRoot: g.field === "zoomCallers",
    height: area.clientHeight,
  };
  const x = at.left + Math.min(Math.max(part, 0), 0.9) * at.width;
  const y = at.top + rowTop(scene, depth) + ROW - area.scrollTop;
  openMenu(boxMenu(g, { node, count: 1 }), x, Math.max(at.top, y), area);
}

export function Flame(props: { g: Graph; name: string; id: string }) {
  const { g, name, id } = props;
  const area = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(
    () => (area.current && canvas.current ? attach(g, area.current, canvas.current) : undefined),
    [g],
  );
  function onKeyDown(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const direction = arrows[e.key];
    if (direction) walk(g, direction);
    else if (e.key === "Enter") zoomTo(g, g.chosen.peek());
    else if ((e.key === "ContextMenu" || (e.key === "F10" && e.shiftKey)) && area.current)
      openMenuAtChosen(g, area.current);
    else return;
    e.preventDefault();
  }
  return (
    <>
      <div
        ref={area}
        class="flame-area"
        tabIndex={0}
        role="application"
        aria-roledescription="flame graph"
        aria-label={`${name}: arrow keys walk from frame to frame, Enter zooms, Escape goes up`}
        aria-describedby={id}
        onFocus={() => {
          if (g.field !== "zoom") half.value = g.field === "zoomCallers" ? "callers" : "callees";
        }}
        onKeyDown={onKeyDown}
      >
        <canvas ref={canvas} class="flame-canvas" aria-hidden="true" />
        <div
          class="flame-rows"
          style={{ height: `${contentHeight(g.p, g.field === "zoomCallers")}px` }}
        />
      </div>
      <Twin g={g} id={id} />
    </>
  );
}
