// SPDX-License-Identifier: MIT
//
// Dragging by mouse, pen or finger, pinching by two, and the wheel. A drag is not a click.

interface Acts {
  move: (x: number, y: number) => void;
  zoom: (by: number, at: { x: number; y: number }) => void;
}

const DRAG = 4; // pixels a pointer may tremble in a click

/** Returns what ends it. */
export function handlePointers(area: HTMLElement, acts: Acts): () => void {
  const off = new AbortController();
  const { signal } = off;
  const down = new Map<number, { x: number; y: number }>();
  let dragged = 0;

  function place(e: MouseEvent): { x: number; y: number } {
    const box = area.getBoundingClientRect();
    return { x: e.clientX - box.left, y: e.clientY - box.top };
  }
  function spread(): { far: number; x: number; y: number } {
    const [a, b] = [...down.values()];
    return { far: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  }
  function onDown(e: PointerEvent): void {
    if (e.button !== 0) return;
    if (down.size === 0) dragged = 0;
    down.set(e.pointerId, place(e));
  }
  function onMove(e: PointerEvent): void {
    const from = down.get(e.pointerId);
    if (!from) return;
    const to = place(e);
    const before = down.size === 2 ? spread() : undefined;
    down.set(e.pointerId, to);
    dragged += Math.abs(to.x - from.x) + Math.abs(to.y - from.y);
    if (dragged < DRAG) return;
    if (!area.hasPointerCapture(e.pointerId)) area.setPointerCapture(e.pointerId);
    if (before) {
      const now = spread();
      acts.move(now.x - before.x, now.y - before.y);
      if (before.far > 0) acts.zoom(now.far / before.far, now);
    } else if (down.size === 1) acts.move(to.x - from.x, to.y - from.y);
  }
  function onUp(e: PointerEvent): void {
    down.delete(e.pointerId);
  }
  area.addEventListener("pointerdown", onDown, { signal });
  area.addEventListener("pointermove", onMove, { signal });
  area.addEventListener("pointerup", onUp, { signal });
  area.addEventListener("pointercancel", onUp, { signal });
  area.addEventListener(
    "click",
    (e) => {
      if (dragged >= DRAG) e.stopImmediatePropagation();
      dragged = 0;
    },
    { signal, capture: true },
  );
  area.addEventListener(
    "wheel",
    (e) => {
      e.preventDefault();
      const lines = e.deltaMode === 1 ? 33 : 1;
      if (e.shiftKey) acts.move(-(e.deltaX || e.deltaY) * lines, 0);
      else acts.zoom(Math.exp(-Math.max(-240, Math.min(240, e.deltaY * lines)) / 400), place(e));
    },
    { signal, passive: false },
  );
  return () => off.abort();
}
