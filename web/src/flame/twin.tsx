// SPDX-License-Identifier: MIT
//
// The flame graph as a table, for screen readers and for tests: the way from the root to the chosen
// frame, and what it calls, heaviest first.

import { formatPercent, formatValue } from "../data/format.ts";
import { nodeName, type Profile } from "../data/profile.ts";
import { chosenNode, zoom } from "../state.ts";
import { zoomTo } from "./actions.ts";
import { depthOf, pathTo } from "./tree.ts";

const MAX_CALLEES = 50;

function Row(props: { p: Profile; node: number; role: "caller" | "chosen" | "callee" }) {
  const { p, node, role } = props;
  const { tree } = p;
  const { span } = zoom.value;
  const size = span.to - span.from;
  const left = (tree.x[node] - span.from) / size;
  const unit = p.sampleType.unit;
  return (
    <tr
      data-role={role}
      data-depth={depthOf(tree, node)}
      data-left={left.toFixed(6)}
      data-width={(tree.width[node] / size).toFixed(6)}
      aria-current={role === "chosen" ? "true" : undefined}
    >
      <th scope="row">
        <button type="button" tabIndex={-1} onClick={() => zoomTo(node)}>
          {nodeName(p, node)}
        </button>
      </th>
      <td>{depthOf(tree, node)}</td>
      <td>{formatValue(tree.self[node], unit)}</td>
      <td>{formatValue(tree.total[node], unit)}</td>
      <td>{formatPercent(tree.total[node], p.total)}</td>
    </tr>
  );
}

export function Twin(props: { p: Profile }) {
  const { p } = props;
  const { tree } = p;
  const node = chosenNode.value;
  const first = tree.firstChild[node];
  const callees = Math.min(tree.firstChild[node + 1] - first, MAX_CALLEES);
  return (
    <div class="for-readers">
      <table id="flame-twin">
        <caption>Callers of {nodeName(p, node)}, outermost first, and what it calls</caption>
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
            <Row key={n} p={p} node={n} role={n === node ? "chosen" : "caller"} />
          ))}
          {Array.from({ length: callees }, (_, i) => (
            <Row key={first + i} p={p} node={first + i} role="callee" />
          ))}
        </tbody>
      </table>
    </div>
  );
}
