// SPDX-License-Identifier: MIT
//
// The flame graph as a table, for screen readers and for tests: the way from the root to the chosen
// frame, and the boxes after that, heaviest first.

import { effect, type ReadonlySignal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { formatPercent } from "../data/format.ts";
import { boxSelf, boxTotal, nodeName } from "../data/profile.ts";
import { droppedBoxes, spellValue } from "../settings.ts";
import { zoomTo } from "./actions.ts";
import type { Graph } from "./graph.ts";
import { depthOf, pathTo, type Span } from "./tree.ts";

const MAX_CALLEES = 50;
const SETTLE_MS = 150;

/** A signal's value: at once, but not at every turn of a wheel. */
function useSettled<T>(signal: ReadonlySignal<T>): T {
  const [value, setValue] = useState(signal.peek());
  useEffect(() => {
    let takenAt = -SETTLE_MS;
    let timer = 0;
    function take(): void {
      timer = 0;
      takenAt = performance.now();
      setValue(signal.peek());
    }
    const end = effect(() => {
      signal.value;
      const due = takenAt + SETTLE_MS - performance.now();
      if (due <= 0) take();
      else if (!timer) timer = window.setTimeout(take, due);
    });
    return () => {
      end();
      clearTimeout(timer);
    };
  }, [signal]);
  return value;
}

interface RowProps {
  g: Graph;
  span: Span; // what is in view
  node: number;
  role: "caller" | "chosen" | "callee";
}

function Row({ g, span, node, role }: RowProps) {
  const { p } = g;
  const { tree } = p;
  const size = span.to - span.from;
  const left = (tree.x[node] - span.from) / size;
  return (
    <tr
      data-role={role}
      data-depth={depthOf(tree, node)}
      data-left={left.toFixed(6)}
      data-width={(tree.width[node] / size).toFixed(6)}
      aria-current={role === "chosen" ? "true" : undefined}
    >
      <th scope="row">
        <button type="button" tabIndex={-1} onClick={() => zoomTo(g, node)}>
          {nodeName(p, node)}
        </button>
      </th>
      <td>{depthOf(tree, node)}</td>
      <td>{spellValue(p, boxSelf(p, node))}</td>
      <td>{spellValue(p, boxTotal(p, node))}</td>
      <td>{formatPercent(boxTotal(p, node), p.valueTotal)}</td>
    </tr>
  );
}

export function Twin(props: { g: Graph; id: string }) {
  const { g, id } = props;
  const { p } = g;
  const { tree } = p;
  const node = g.chosen.value;
  const { span } = useSettled(g.zoom);
  const first = tree.firstChild[node];
  const dropped = droppedBoxes(p);
  const callees = Math.min(tree.firstChild[node + 1] - first, MAX_CALLEES);
  return (
    <div class="for-readers">
      <table id={id}>
        <caption>The way from the root to {nodeName(p, node)}, and what comes after it</caption>
        <thead>
          <tr>
            <th scope="col">Function</th>
            <th scope="col">Depth</th>
            <th scope="col">Self</th>
            <th scope="col">Total</th>
            <th scope="col">Share of all</th>
          </tr>
        </thead>
        <tbody>
          {pathTo(tree, node).map((n) => (
            <Row key={n} g={g} span={span} node={n} role={n === node ? "chosen" : "caller"} />
          ))}
          {Array.from({ length: callees }, (_, i) => first + i)
            .filter((n) => !dropped?.[n])
            .map((n) => (
              <Row key={n} g={g} span={span} node={n} role="callee" />
            ))}
        </tbody>
      </table>
    </div>
  );
}
