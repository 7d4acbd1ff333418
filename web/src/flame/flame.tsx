// SPDX-License-Identifier: MIT
//
// The flame graph: a canvas that stays in view while its rows scroll beneath it, the pointer and
// the keys on it, and its twin for those who do not see it.

import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Profile } from "../data/profile.ts";
import {
  chosenIndex,
  chosenNode,
  hovered,
  matches,
  navigate,
  reveal,
  route,
  zoom,
} from "../state.ts";
import { lookAt, openRun, walk, zoomOut, zoomTo, type Direction } from "./actions.ts";
import { boxUnder, drawFlame, ROW, type Scene } from "./draw.ts";
import { Minimap } from "./minimap.tsx";
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
function attach(p: Profile, area: HTMLElement, canvas: HTMLCanvasElement): () => void {
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) return () => undefined;
  let palette = readPalette(p);
  let frame = 0;
  const motion = startMotion(zoom.peek().span, requestDraw);

  function scene(): Scene {
    return {
      p,
      palette,
      span: motion.current(),
      width: area.clientWidth,
      height: area.clientHeight,
      scroll: area.scrollTop,
      matches: matches.peek(),
      chosen: chosenNode.peek(),
      chosenFunction: chosenIndex.peek(),
      hovered: hovered.peek()?.node ?? -1,
    };
  }
  function draw(now: number): void {
    frame = 0;
    motion.advance(now);
    const ratio = devicePixelRatio || 1;
    const s = scene();
    const [w, h] = [Math.round(s.width * ratio), Math.round(s.height * ratio)];
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
    }
    context?.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (context) drawFlame(context, s);
    area.dataset.drawn = String(Number(area.dataset.drawn ?? 0) + 1);
  }
  function requestDraw(): void {
    if (!frame) frame = requestAnimationFrame(draw);
  }
  function revealChosen(): void {
    const top = depthOf(p.tree, chosenNode.peek()) * ROW;
    const rows = 3 * ROW; /* keep some of the callers in view */
    if (top < area.scrollTop + ROW) area.scrollTop = Math.max(0, top - rows);
    else if (top + 2 * ROW > area.scrollTop + area.clientHeight)
      area.scrollTop = top + rows - area.clientHeight;
  }
  const size = new ResizeObserver(requestDraw);
  size.observe(area);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  function recolour(): void {
    palette = readPalette(p);
    requestDraw();
  }
  dark.addEventListener("change", recolour);
  area.addEventListener("scroll", requestDraw, { passive: true });
  const ends = [
    effect(() => motion.go(zoom.value.span)),
    effect(() => {
      [matches.value, chosenNode.value, chosenIndex.value, hovered.value];
      requestDraw();
    }),
    effect(() => {
      if (reveal.value) revealChosen();
    }),
    effect(() => {
      route.value.theme;
      queueMicrotask(recolour);
    }),
    handlePointer(area, scene),
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
function handlePointer(area: HTMLElement, scene: () => Scene): () => void {
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
    if (was?.node === box?.node && was?.count === box?.count) return;
    hovered.value = box && { node: box.node, count: box.count };
  }
  function onClick(e: MouseEvent): void {
    if (e.detail > 1) {
      navigate({ zoom: before }, "replace");
      zoomOut("replace");
      return;
    }
    before = route.peek().zoom;
    const box = boxOf(e);
    if (!box) return;
    if (box.count > 1) openRun(box);
    else zoomTo(box.node);
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
      lookAt({ from: at - part * size, to: at - part * size + size });
    } else if (Math.abs(sideways) > Math.abs(e.shiftKey ? 0 : e.deltaY)) {
      e.preventDefault();
      lookAt({ from: s.span.from + sideways * unit, to: s.span.to + sideways * unit });
    }
  }
  area.addEventListener("pointermove", onMove, { signal });
  area.addEventListener("pointerleave", () => (hovered.value = undefined), { signal });
  area.addEventListener("click", onClick, { signal });
  area.addEventListener("wheel", onWheel, { signal, passive: false });
  return () => off.abort();
}

export function Flame(props: { p: Profile }) {
  const { p } = props;
  const area = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(
    () => (area.current && canvas.current ? attach(p, area.current, canvas.current) : undefined),
    [p],
  );
  return (
    <main class="view flame">
      <Minimap p={p} />
      <div
        ref={area}
        class="flame-area"
        tabIndex={0}
        role="application"
        aria-roledescription="flame graph"
        aria-label="Flame graph: arrow keys walk from frame to frame, Enter zooms, Escape goes up"
        aria-describedby="flame-twin"
        onKeyDown={(e) => {
          if (e.ctrlKey || e.metaKey || e.altKey) return;
          const direction = arrows[e.key];
          if (direction) walk(direction);
          else if (e.key === "Enter") zoomTo(chosenNode.peek());
          else return;
          e.preventDefault();
        }}
      >
        <canvas ref={canvas} class="flame-canvas" aria-hidden="true" />
        <div class="flame-rows" style={{ height: `${(p.tree.depths + 1) * ROW}px` }} />
      </div>
      <Twin p={p} />
    </main>
  );
}
