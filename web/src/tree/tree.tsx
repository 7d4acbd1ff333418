// SPDX-License-Identifier: MIT
//
// The call tree as a table. The hottest path is open, and the way to what is chosen; what the
// reader
// opens and closes beyond that stays as long as the profile is shown.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { formatPercent } from "../data/format.ts";
import { toneOf } from "../data/module.ts";
import { boxSelf, boxTotal, frameModuleName, nodeName, type Profile } from "../data/profile.ts";
import { boxMenu } from "../flame/box_menu.ts";
import { choose } from "../flame/actions.ts";
import type { Graph } from "../flame/graph.ts";
import { scopeEnd } from "../flame/label.ts";
import { placeOf } from "../flame/place.ts";
import { pathTo } from "../flame/tree.ts";
import { spellIn, unitInHead, unitOf } from "../settings.ts";
import { hovered, navigate, reveal, route } from "../state.ts";
import { openMenu } from "../ui/menu.tsx";
import { useWindow } from "../ui/window.ts";
import { hottestPath, treeRows, type TreeRows } from "./rows.ts";
import { trendSource } from "./trend.ts";
import { TrendCell } from "./trend_cell.tsx";

function isLeaf(p: Profile, node: number): boolean {
  return p.tree.firstChild[node] >= p.tree.firstChild[node + 1];
}

function Cell(props: { p: Profile; value: number; unit: string; own?: boolean }) {
  const { p, value, unit } = props;
  const own = props.own ? " own" : "";
  const share = Math.min(100, p.valueTotal ? Math.abs(value / p.valueTotal) * 100 : 0);
  return (
    <>
      <td class={`number${own}`}>{value === 0 ? "" : spellIn(p, value, unit)}</td>
      <td class={`number share-cell${own}`}>
        <span class="bar" style={{ width: `${share.toFixed(3)}%` }} />
        <span class="bar-text">{value === 0 ? "" : formatPercent(value, p.valueTotal)}</span>
      </td>
    </>
  );
}

interface RowProps {
  g: Graph;
  node: number;
  depth: number;
  index: number;
  unit: string;
  open: boolean;
  toggle: (node: number) => void;
}

function Row(props: RowProps) {
  const { g, node, depth, index, unit, open, toggle } = props;
  const { p } = g;
  const frame = p.tree.frame[node];
  const name = nodeName(p, node);
  const scope = scopeEnd(name);
  const leaf = isLeaf(p, node);
  const found = g.matches.value;
  const hit = found && found.before[node + 1] > found.before[node];
  return (
    <tr
      data-function={name}
      data-node={node}
      data-hit={hit ? "" : undefined}
      data-dim={found && !hit ? "" : undefined}
      aria-level={depth + 1}
      aria-rowindex={index + 2}
      aria-expanded={leaf ? undefined : open}
      aria-selected={g.chosen.value === node}
      onClick={() => choose(g, node)}
      onDblClick={() => toggle(node)}
      onPointerEnter={() => (hovered.value = { p, node, count: 1 })}
      onContextMenu={(e) => {
        const grid = e.currentTarget.closest<HTMLElement>(".top");
        e.preventDefault();
        if (grid) openMenu(boxMenu(g, { node, count: 1 }), e.clientX, e.clientY, grid);
      }}
    >
      <Cell p={p} value={boxTotal(p, node)} unit={unit} />
      <Cell p={p} value={boxSelf(p, node)} unit={unit} own />
      {trendSource.value && (
        <TrendCell t={frame < 0 ? undefined : trendSource.value.known.value.get(name)} />
      )}
      <td class="name">
        <span class="indent" style={{ "--depth": String(Math.min(depth, 40)) }} />
        <span
          class="twist"
          aria-hidden="true"
          onClick={(e) => {
            e.stopPropagation();
            toggle(node);
          }}
        >
          {leaf ? "" : open ? "▾" : "▸"}
        </span>
        <span class={`swatch tone-${toneOf(frame < 0 ? "" : p.frameGroup[frame])}`} />
        <span class="function" title={name}>
          {scope > 0 && <span class="scope">{name.slice(0, scope)}</span>}
          <span>{name.slice(scope)}</span>
        </span>
        <span class="muted module">{frameModuleName(p, frame)}</span>
      </td>
    </tr>
  );
}

/** Of what is at least half a percent of the whole. */
function treeUnit(p: Profile): string {
  let smallest = Infinity;
  const whole = Math.abs(boxTotal(p, 0));
  for (let i = 0; i < p.tree.count; i++) {
    const value = Math.abs(boxSelf(p, i));
    if (value >= whole * 0.005 && value > 0) smallest = Math.min(smallest, value);
  }
  return unitOf(p, Number.isFinite(smallest) ? smallest : whole, whole);
}

type Moves = Record<string, (at: number, rows: TreeRows) => number>;

const moves: Moves = {
  ArrowDown: (at, rows) => Math.min(at + 1, rows.node.length - 1),
  ArrowUp: (at) => Math.max(at - 1, 0),
  PageDown: (at, rows) => Math.min(at + 20, rows.node.length - 1),
  PageUp: (at) => Math.max(at - 20, 0),
  Home: () => 0,
  End: (_, rows) => rows.node.length - 1,
};

export function TreeTable(props: { g: Graph }) {
  const { g } = props;
  const { p } = g;
  const open = useSignal<ReadonlySet<number>>(new Set());
  const openFor = useRef<Graph | undefined>(undefined);
  if (openFor.current !== g) {
    openFor.current = g;
    open.value = new Set(hottestPath(p.tree, 0));
  }
  /* The way to the chosen row is opened once, when it is chosen: it may be closed again. */
  useSignalEffect(() => {
    const way = pathTo(p.tree, g.chosen.value).slice(0, -1);
    const is = open.peek();
    if (way.some((n) => !is.has(n))) open.value = new Set([...is, ...way]);
  });
  const rows = useMemo(() => treeRows(p.tree, open.value), [p, open.value]);
  const { scroller, virtualizer, items, before, after } = useWindow(rows.node.length);
  const unit = treeUnit(p);
  const inUnit = unitInHead(unit);

  function toggle(node: number): void {
    const next = new Set(open.peek());
    if (!next.delete(node)) {
      /* What was opened goes on to where it parts. */
      for (let n = node; !isLeaf(p, n); n = p.tree.firstChild[n]) {
        next.add(n);
        if (p.tree.firstChild[n + 1] - p.tree.firstChild[n] > 1) break;
      }
    }
    open.value = next;
  }
  const inView = trendSource.value
    ? [...new Set(items.map((item) => nodeName(p, rows.node[item.index])))]
    : [];
  useEffect(() => trendSource.value?.want(inView), [inView.join("\n"), trendSource.value]);
  useEffect(() => {
    const at = rows.node.indexOf(g.chosen.peek());
    if (at >= 0 && reveal.value >= 0) virtualizer.scrollToIndex(at);
  }, [reveal.value, g]);

  function onKeyDown(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const node = g.chosen.peek();
    const at = Math.max(0, rows.node.indexOf(node));
    const isOpen = open.peek().has(node) && !isLeaf(p, node);
    if (e.key in moves) choose(g, rows.node[moves[e.key](at, rows)]);
    else if (e.key === "ArrowRight") {
      if (!isLeaf(p, node)) isOpen ? choose(g, p.tree.firstChild[node]) : toggle(node);
    } else if (e.key === "ArrowLeft") isOpen ? toggle(node) : choose(g, p.tree.parent[node]);
    else if (e.key === "Enter") navigate({ view: "flame", zoom: placeOf(p, node) }, "push");
    else return;
    hovered.value = undefined;
    e.preventDefault();
  }
  return (
    <main class="view">
      <div
        ref={scroller}
        class={trendSource.value ? "top tree tree-trends" : "top tree"}
        tabIndex={0}
        role="region"
        aria-label="Call tree"
        onKeyDown={onKeyDown}
        onPointerLeave={() => (hovered.value = undefined)}
      >
        <table role="treegrid" aria-rowcount={rows.node.length + 1} aria-label="Call tree by cost">
          <colgroup>
            <col class="value" />
            <col class="share" />
            <col class="value own" />
            <col class="share own" />
            {trendSource.value && <col class="trend" />}
            <col />
          </colgroup>
          <thead>
            <tr>
              <th scope="colgroup" colSpan={2} class="number head">
                Total{inUnit}
              </th>
              <th scope="colgroup" colSpan={2} class="number head own">
                Self{inUnit}
              </th>
              {trendSource.value && (
                <th
                  scope="col"
                  class="trend head"
                  title={`Points of the total, against ${trendSource.value.against.value}`}
                >
                  Trend
                </th>
              )}
              <th scope="col" class="name head">
                {route.value.inverted ? "Function, and beneath it its callers" : "Function"}
              </th>
            </tr>
          </thead>
          <tbody>
            <tr aria-hidden="true" style={{ height: `${before}px` }} />
            {items.map((item) => (
              <Row
                key={rows.node[item.index]}
                g={g}
                node={rows.node[item.index]}
                depth={rows.depth[item.index]}
                index={item.index}
                unit={unit}
                open={open.value.has(rows.node[item.index])}
                toggle={toggle}
              />
            ))}
            <tr aria-hidden="true" style={{ height: `${after}px` }} />
          </tbody>
        </table>
      </div>
    </main>
  );
}
