// SPDX-License-Identifier: MIT
//
// The bar at the bottom says at once what is under the pointer or the keyboard, in full, and what
// one has to know of the whole profile: its size, and what was lost.

import { activeGraph, chosenFunction, hovered, hoveredFunction, profile, route } from "../state.ts";
import { formatCount, formatPercent, formatValue } from "../data/format.ts";
import { spellValue } from "../settings.ts";
import { honesty } from "../data/honesty.ts";
import { boxViews } from "../route.ts";
import {
  boxSelf,
  boxTotal,
  findFunction,
  frameModuleName,
  framePlace,
  functionNameOf,
  nodeName,
  type Profile,
} from "../data/profile.ts";

interface Described {
  sides?: { before: number; after: number } | undefined; // with callees, of a difference

  name: string;
  place: string;
  module: string;
  inlined: boolean;
  self: number | undefined; // in inverted trees it is no one's own cost
  total: number;
}

function describeNode(p: Profile, node: number): Described {
  const frame = p.tree.frame[node];
  return {
    name: nodeName(p, node),
    place: framePlace(p, frame),
    module: frameModuleName(p, frame),
    inlined: frame >= 0 && p.frameInlined[frame] === 1,
    self: boxSelf(p, node),
    total: boxTotal(p, node),
    sides: p.sides && { before: p.sides.nodeBefore[node], after: p.sides.nodeAfter[node] },
  };
}

function describeFunction(p: Profile, fn: number): Described {
  const frame = p.functionFrame[fn];
  return {
    name: functionNameOf(p, fn),
    place: framePlace(p, frame),
    module: frameModuleName(p, frame),
    inlined: false,
    self: p.functionFlat[fn],
    total: p.functionCum[fn],
    sides: p.sides && {
      before: p.sides.functionCum[fn],
      after: p.sides.functionCum[fn] + p.functionCum[fn],
    },
  };
}

/** A run of boxes too small to tell apart: what they come to. */
function describeRun(p: Profile, first: number, count: number): Described {
  let self = 0;
  let total = 0;
  for (let i = first; i < first + count; i++) {
    self += p.tree.self[i];
    total += p.tree.total[i];
  }
  const name = `${formatCount(count)} calls too narrow to draw; a click opens them`;
  return { name, place: "", module: "", inlined: false, self, total };
}

function described(p: Profile): Described {
  if (!boxViews.includes(route.value.view)) {
    const fn =
      hoveredFunction.value >= 0 ? hoveredFunction.value : findFunction(p, chosenFunction.value);
    return fn >= 0 ? describeFunction(p, fn) : describeNode(p, 0);
  }
  const under = hovered.value;
  const g = activeGraph.value;
  const of = under?.p ?? g?.p ?? p;
  const d =
    under && under.count > 1
      ? describeRun(of, under.node, under.count)
      : describeNode(of, under ? under.node : (g?.chosen.value ?? 0));
  if (route.value.inverted || of !== p) d.self = undefined;
  return d;
}

function Amount(props: { p: Profile; label: string; value: number }) {
  const { p, label, value } = props;
  return (
    <span class="amount" data-amount={label}>
      <span class="muted">{label} </span>
      {spellValue(p, value)}
      <span class="percent">{formatPercent(value, p.valueTotal)}</span>
    </span>
  );
}

/** "before 2.40s  after 3.02s  change +620ms" */
function Change(props: { p: Profile; before: number; after: number }) {
  const { p, before, after } = props;
  const sign = after > before ? "+" : "";
  return (
    <>
      {after === 0 && before > 0 && <span class="badge">only before</span>}
      {before === 0 && after > 0 && <span class="badge">only after</span>}
      <span class="amount">
        <span class="muted">before </span>
        {spellValue(p, before)}
      </span>
      <span class="amount">
        <span class="muted">after </span>
        {spellValue(p, after)}
      </span>
      <span class="amount" data-amount="change">
        <span class="muted">change </span>
        {sign + spellValue(p, after - before)}
      </span>
    </>
  );
}

/** Boxes are of frames with line information, as in pprof; what has none is in the table. */
function linelessNote(p: Profile): string {
  return `${formatPercent(p.facts.lineless, p.total)} has frames without names, which Top shows`;
}

/** "of 4.56s cpu in 10.02s; 3 samples lost" */
function Whole(props: { p: Profile }) {
  const { p } = props;
  const type = p.divisors ? `mean ${p.sampleType.type}` : p.sampleType.type;
  const parts = [`of ${spellValue(p, p.valueTotal)} ${type}`];
  if (p.facts.duration_nanos > 0) parts.push(`in ${formatValue(p.facts.duration_nanos, "ns")}`);
  const left = p.facts.left_out;
  const warnings = honesty(p.facts.comments);
  if (left > 0) warnings.push("the smallest calls are put together");
  if (p.facts.lineless > 0 && boxViews.includes(route.value.view)) warnings.push(linelessNote(p));
  return (
    <span class="whole" title={p.facts.comments.join("\n")}>
      <span class="muted">{parts.join(" ")}</span>
      {warnings.map((w) => (
        <span key={w} class="warning">
          {w}
        </span>
      ))}
    </span>
  );
}

export function StatusBar() {
  const p = profile.value;
  if (!p || p.facts.sample_count === 0) return <footer class="status" />;
  const d = described(p);
  return (
    <footer class="status" aria-live="polite" aria-atomic="true">
      <span class="what">
        <span class="name" title={d.name}>
          {d.name}
        </span>
        {d.inlined && <span class="badge">inlined</span>}
        <span class="muted place" title={d.place}>
          <bdi dir="ltr">{d.place}</bdi>
        </span>
        <span class="muted module">{d.module}</span>
      </span>
      {d.sides ? (
        <Change p={p} before={d.sides.before} after={d.sides.after} />
      ) : (
        <>
          {d.self !== undefined && <Amount p={p} label="self" value={d.self} />}
          <Amount p={p} label="total" value={d.total} />
        </>
      )}
      <Whole p={p} />
    </footer>
  );
}
