// SPDX-License-Identifier: MIT
//
// Callers and callees of one function: what leads to it grows upwards, what it leads to downwards,
// each the merged contexts of all its calls.

import { useEffect } from "preact/hooks";
import { formatPercent } from "../data/format.ts";
import { findFunction, type Profile } from "../data/profile.ts";
import { Flame } from "../flame/flame.tsx";
import type { Graph } from "../flame/graph.ts";
import { calleesGraph, callersGraph, openCalls, route } from "../state.ts";
import { spellValue } from "../settings.ts";
import { Notice } from "../ui/notice.tsx";

function Heading(props: { p: Profile; fn: number }) {
  const { p, fn } = props;
  const of = (v: number) => `${spellValue(p, v)}  ${formatPercent(v, p.valueTotal)}`;
  return (
    <h2 class="pivot">
      <span class="muted">callers ↑</span>
      <span class="pivot-name">{route.value.pivot}</span>
      <span class="muted">↓ callees</span>
      <span class="pivot-sums">
        <span class="muted">self</span> {of(p.functionFlat[fn])}{" "}
        <span class="muted">total</span>{" "}
        {of(p.functionCum[fn])}
      </span>
    </h2>
  );
}

function Half(props: { g: Graph; name: string; id: string; nothing: string }) {
  const { g, name, id, nothing } = props;
  if (g.p.tree.depths < 2) return <p class="nothing">{nothing}</p>;
  return (
    <section class="half" aria-label={name}>
      <Flame g={g} name={name} id={id} />
    </section>
  );
}

export function Calls(props: { p: Profile }) {
  const { p } = props;
  const { pivot } = route.value;
  useEffect(() => {
    if (!pivot) openCalls("", "replace");
  }, [pivot]);
  if (!pivot) return null;
  const fn = findFunction(p, pivot);
  if (fn < 0)
    return (
      <Notice title={`No sample has ${pivot}.`}>
        <p>It may be left out by a refinement above, or have no samples of this type.</p>
      </Notice>
    );
  const [up, down] = [callersGraph.value, calleesGraph.value];
  if (!up || !down) return <main class="view" aria-busy="true" aria-label="Loading" />;
  return (
    <main class="view calls">
      <Half
        g={up}
        name="Callers"
        id="callers-twin"
        nothing="Nothing calls it: stacks begin here."
      />
      <Heading p={p} fn={fn} />
      <Half g={down} name="Callees" id="callees-twin" nothing="It calls nothing." />
    </main>
  );
}
