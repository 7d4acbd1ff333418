// SPDX-License-Identifier: MIT
//
// The call graph as dot drew it: a picture that is dragged and zoomed. It is an image, so that
// nothing in it can run.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Notice } from "../ui/notice.tsx";

const MOST = 16;

interface Look {
  scale: number; // of the size at which all of it is in view
  x: number;
  y: number;
}

const WHOLE: Look = { scale: 1, x: 0, y: 0 };

export function Diagram(props: { url: string }) {
  const { url } = props;
  const wrong = useSignal("");
  const loaded = useSignal(false);
  const look = useSignal<Look>(WHOLE);
  const area = useRef<HTMLDivElement>(null);
  const drag = useRef<{ x: number; y: number } | undefined>(undefined);
  useEffect(() => {
    wrong.value = "";
    loaded.value = false;
    look.value = WHOLE;
  }, [url]);

  /** Zooms so that what is at (x, y) of the area stays there. */
  function zoom(by: number, x?: number, y?: number): void {
    const box = area.current?.getBoundingClientRect();
    const { scale, x: left, y: top } = look.peek();
    const next = Math.min(MOST, Math.max(1, scale * by));
    const atX = x ?? (box?.width ?? 0) / 2;
    const atY = y ?? (box?.height ?? 0) / 2;
    const k = next / scale;
    look.value =
      next === 1 ? WHOLE : { scale: next, x: atX - (atX - left) * k, y: atY - (atY - top) * k };
  }
  function pan(dx: number, dy: number): void {
    const { scale, x, y } = look.peek();
    look.value = { scale, x: x + dx, y: y + dy };
  }
  useEffect(() => {
    const e = area.current;
    if (!e) return;
    const onWheel = (w: WheelEvent): void => {
      w.preventDefault();
      const box = e.getBoundingClientRect();
      zoom(Math.exp(-w.deltaY / 400), w.clientX - box.left, w.clientY - box.top);
    };
    e.addEventListener("wheel", onWheel, { passive: false });
    return () => e.removeEventListener("wheel", onWheel);
  }, [wrong.value]);
  async function explain(): Promise<void> {
    try {
      const answer = await fetch(url);
      const { error } = (await answer.json()) as { error?: string };
      wrong.value = error ?? "The picture could not be shown.";
    } catch {
      wrong.value = "strobe serve no longer answers: is it still running?";
    }
  }
  if (wrong.value)
    return (
      <Notice title="The call graph could not be drawn.">
        <p>{wrong.value}</p>
      </Notice>
    );
  const keys: Record<string, () => void> = {
    "+": () => zoom(1.4),
    "=": () => zoom(1.4),
    "-": () => zoom(1 / 1.4),
    "0": () => (look.value = WHOLE),
    ArrowLeft: () => pan(60, 0),
    ArrowRight: () => pan(-60, 0),
    ArrowUp: () => pan(0, 60),
    ArrowDown: () => pan(0, -60),
  };
  const { scale, x, y } = look.value;
  return (
    <main class="view diagram">
      <div class="diagram-buttons">
        <button type="button" class="icon" aria-label="Zoom out" onClick={() => zoom(1 / 1.4)}>
          −
        </button>
        <button type="button" class="icon" aria-label="Zoom in" onClick={() => zoom(1.4)}>
          +
        </button>
        <button type="button" class="quiet" onClick={() => (look.value = WHOLE)}>
          all
        </button>
        <a href={url} download="callgraph.svg">
          svg
        </a>
      </div>
      <div
        ref={area}
        class="diagram-area"
        tabIndex={0}
        role="region"
        aria-label="Call graph; plus and minus zoom, arrows move"
        aria-busy={!loaded.value}
        onKeyDown={(e) => {
          const act = keys[e.key];
          if (!act || e.ctrlKey || e.metaKey || e.altKey) return;
          act();
          e.preventDefault();
          e.stopPropagation();
        }}
        onPointerDown={(e) => {
          drag.current = { x: e.clientX, y: e.clientY };
          e.currentTarget.setPointerCapture(e.pointerId);
        }}
        onPointerMove={(e) => {
          const from = drag.current;
          if (!from) return;
          pan(e.clientX - from.x, e.clientY - from.y);
          drag.current = { x: e.clientX, y: e.clientY };
        }}
        onPointerUp={() => (drag.current = undefined)}
        onPointerCancel={() => (drag.current = undefined)}
      >
        <img
          src={url}
          alt="Call graph: functions as boxes, as large as their own share; calls as arrows"
          draggable={false}
          style={{ transform: `translate(${x}px, ${y}px) scale(${scale})` }}
          onLoad={() => (loaded.value = true)}
          onError={() => void explain()}
        />
      </div>
    </main>
  );
}
