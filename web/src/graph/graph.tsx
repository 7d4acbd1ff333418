// SPDX-License-Identifier: MIT
//
// The call graph: pprof's nodes, edges and trimming, dragged and zoomed by mouse, touch and keys. A
// node that is clicked is chosen in all views.

import { effect, useSignal, type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { useForm } from "../data/form.ts";
import { findFunction, type Profile } from "../data/profile.ts";
import { formUrl } from "../data/source.ts";
import { isSaved } from "../saved/open.ts";
import { hoveredFunction, navigate, openCalls, pattern, reveal, route, source } from "../state.ts";
import { chooseFunction, functionMenu } from "../ui/function_menu.ts";
import { openMenu } from "../ui/menu.tsx";
import { NoticeWithin } from "../ui/notice.tsx";
import { readGraph, type DrawnGraph } from "./data.ts";
import { firstLook, kept, showing, smallestScale, wholeLook, zoomed, type Look } from "./look.ts";
import { handlePointers } from "./pointers.ts";
import { Picture } from "./picture.tsx";
import { GraphSettings } from "./settings.tsx";
import { nextNode, type Way } from "./walk.ts";

const ways: Record<string, Way> = {
  ArrowUp: "up",
  ArrowDown: "down",
  ArrowLeft: "left",
  ArrowRight: "right",
};

const STEP = 80; // pixels that the arrows with Shift move

/** The number of the chosen function's heaviest node, 0 if it is not in the graph. */
function chosenNode(g: DrawnGraph): number {
  const { selected } = route.value;
  return selected ? g.nodes.findIndex((n) => n.function === selected) + 1 : 0;
}

function matchesOf(g: DrawnGraph): ReadonlySet<number> | undefined {
  const p = pattern.value;
  if (!p) return undefined;
  const found = new Set<number>();
  g.nodes.forEach((n, i) => {
    p.lastIndex = 0;
    if (p.test(n.function)) found.add(i + 1);
  });
  return found;
}

function shapeOf(g: DrawnGraph, id: number) {
  return g.drawing.nodes.find((n) => n.id === id && !n.part);
}

function choose(p: Profile, g: DrawnGraph, id: number): void {
  const name = g.nodes[id - 1]?.function ?? "";
  const fn = findFunction(p, name);
  if (fn >= 0) chooseFunction(p, fn);
  else navigate({ selected: name, at: "" }, "replace");
  reveal.value++;
}

function sizeOf(area: HTMLElement): { width: number; height: number } {
  return { width: area.clientWidth, height: area.clientHeight };
}

function save(name: string, type: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function Buttons(props: { g: DrawnGraph; zoomBy: (by: number) => void; whole: () => void }) {
  const { g, zoomBy, whole } = props;
  return (
    <div class="view-buttons">
      <button type="button" class="icon" aria-label="Zoom out" onClick={() => zoomBy(1 / 1.3)}>
        −
      </button>
      <button type="button" class="icon" aria-label="Zoom in" onClick={() => zoomBy(1.3)}>
        +
      </button>
      <button type="button" class="quiet" onClick={whole}>
        whole
      </button>
      <button
        type="button"
        class="quiet"
        title="Save the graph in the language of Graphviz"
        onClick={() => save("callgraph.dot", "text/vnd.graphviz", g.dot)}
      >
        dot
      </button>
    </div>
  );
}

function Area(props: { p: Profile; g: DrawnGraph; look: Signal<Look | undefined> }) {
  const { p, g, look } = props;
  const area = useRef<HTMLDivElement>(null);
  const moving = useRef<SVGGElement>(null);
  const chosen = chosenNode(g);
  const heaviest = shapeOf(g, chosen || 1)?.box;
  const d = g.drawing;

  function change(next: (look: Look, size: { width: number; height: number }) => Look): void {
    const e = area.current;
    if (!e || !look.peek()) return;
    const size = sizeOf(e);
    look.value = kept(next(look.peek() as Look, size), d, size);
  }
  useEffect(() => {
    const e = area.current;
    if (!e) return;
    if (!look.peek()) look.value = firstLook(d, sizeOf(e), heaviest);
    const ends = [
      effect(() => {
        const l = look.value;
        if (l)
          moving.current?.setAttribute("transform", `translate(${l.x} ${l.y}) scale(${l.scale})`);
      }),
      handlePointers(e, {
        move: (x, y) => change((l) => ({ ...l, x: l.x + x, y: l.y + y })),
        zoom: (by, at) => change((l, size) => zoomed(l, by, at, smallestScale(d, size))),
      }),
    ];
    return () => ends.forEach((end) => end());
  }, [g]);
  useEffect(() => {
    const shape = shapeOf(g, chosen);
    if (shape && reveal.value) change((l, size) => showing(l, shape.box, size));
  }, [reveal.value, g]);

  function zoomMiddle(by: number): void {
    change((l, size) => {
      const middle = { x: size.width / 2, y: size.height / 2 };
      return zoomed(l, by, middle, smallestScale(d, size));
    });
  }
  function nodeAt(target: EventTarget | null): number {
    const e = target instanceof Element ? target.closest("[data-node]") : null;
    return Number(e?.getAttribute("data-node") ?? 0);
  }
  function menuOf(id: number, x: number, y: number): void {
    const fn = findFunction(p, g.nodes[id - 1]?.function ?? "");
    if (fn >= 0 && area.current) openMenu(functionMenu(p, fn, "Enter"), x, y, area.current);
  }
  function onKeyDown(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const way = ways[e.key];
    if (way && e.shiftKey) {
      const dx = way === "left" ? STEP : way === "right" ? -STEP : 0;
      const dy = way === "up" ? STEP : way === "down" ? -STEP : 0;
      change((l) => ({ ...l, x: l.x + dx, y: l.y + dy }));
    } else if (way) {
      const next = nextNode(g, chosen, way);
      if (next) choose(p, g, next);
    } else if (e.key === "+" || e.key === "=") zoomMiddle(1.3);
    else if (e.key === "-") zoomMiddle(1 / 1.3);
    else if (e.key === "0") change((_, size) => wholeLook(d, size));
    else if (e.key === "Enter" && chosen) openCalls(g.nodes[chosen - 1].function);
    else if ((e.key === "ContextMenu" || (e.key === "F10" && e.shiftKey)) && chosen) {
      const box = area.current?.querySelector(".chosen")?.getBoundingClientRect();
      menuOf(chosen, box?.left ?? 0, box?.bottom ?? 0);
    } else return;
    e.preventDefault();
    e.stopPropagation();
  }
  const marks = { chosen, matches: matchesOf(g), difference: p.sides !== undefined };
  return (
    <>
      <div
        ref={area}
        class="graph-area"
        tabIndex={0}
        role="application"
        aria-roledescription="call graph"
        aria-label={
          `Call graph of ${g.nodes.length} nodes: arrow keys go to callers and callees, ` +
          "plus and minus zoom, Shift and arrows move"
        }
        onKeyDown={onKeyDown}
        onClick={(e) => {
          const id = nodeAt(e.target);
          if (id) choose(p, g, id);
        }}
        onDblClick={(e) => {
          const id = nodeAt(e.target);
          if (id) openCalls(g.nodes[id - 1].function);
        }}
        onContextMenu={(e) => {
          const id = nodeAt(e.target);
          if (!id) return;
          e.preventDefault();
          menuOf(id, e.clientX, e.clientY);
        }}
        onPointerOver={(e) => {
          const id = nodeAt(e.target);
          hoveredFunction.value = id ? findFunction(p, g.nodes[id - 1].function) : -1;
        }}
        onPointerLeave={() => (hoveredFunction.value = -1)}
      >
        <svg class="graph-svg" aria-hidden="true">
          <g ref={moving}>
            <Picture g={g} marks={marks} />
          </g>
        </svg>
      </div>
      <Buttons
        g={g}
        whole={() => change((_, size) => wholeLook(d, size))}
        zoomBy={zoomMiddle}
      />
    </>
  );
}

function Facts(props: { lines: readonly string[] }) {
  const text = props.lines.join(" · ");
  return (
    <span class="view-facts muted" title={text}>
      {text}
    </span>
  );
}

export function CallGraphView(props: { p: Profile }) {
  const { p } = props;
  const look = useSignal<Look | undefined>(undefined);
  const from = source.value;
  const url = from ? formUrl(from, route.value, "graph", [["svg", "1"]]) : "";
  const { value: g, failure, busy, url: shown } = useForm(url, readGraph);
  const seen = useRef("");
  if (seen.current !== shown && !busy) {
    seen.current = shown;
    look.value = undefined; /* another drawing: it is placed anew */
  }
  return (
    <main class="view graph-view" aria-busy={busy}>
      <div class="view-settings" role="group" aria-label="Settings of the graph">
        {!isSaved() && <GraphSettings />}
        <Facts lines={g && !failure ? g.legend : []} />
      </div>
      {failure ? (
        <NoticeWithin title="The call graph could not be drawn.">
          <p>{failure}</p>
        </NoticeWithin>
      ) : g && g.nodes.length > 0 ? (
        <Area key={shown} p={p} g={g} look={look} />
      ) : g ? (
        <p class="nothing">No node is that heavy: lower the limits above.</p>
      ) : (
        <p class="nothing">{busy ? "Laying the graph out…" : ""}</p>
      )}
    </main>
  );
}
