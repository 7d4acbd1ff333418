// SPDX-License-Identifier: MIT
//
// The row under the toolbar: every refinement as a pill that can be removed, and what share of the
// total the search and the zoom leave. The row is always there, so that nothing moves.

import {
  chosenFunction,
  matches,
  navigate,
  pattern,
  profile,
  query,
  route,
  zoom,
} from "../state.ts";
import { formatPercent, formatValue } from "../data/format.ts";
import { nodeName, type Profile } from "../data/profile.ts";
import { Legend } from "./legend.tsx";

function Pill(props: { kind: string; value: string; onRemove: () => void }) {
  const { kind, value } = props;
  return (
    <li class="pill" data-pill={kind}>
      <span class="pill-kind">{kind}</span>
      <span class="pill-value" title={value}>
        {value}
      </span>
      <button type="button" aria-label={`Remove ${kind} ${value}`} onClick={props.onRemove}>
        ×
      </button>
    </li>
  );
}

function zoomName(p: Profile): string {
  const { zoom: text } = route.value;
  if (text.startsWith("@")) return "a part of the graph";
  return text.includes("-")
    ? `calls of ${nodeName(p, zoom.value.node)}`
    : nodeName(p, zoom.value.node);
}

/** "12.30% of 4.56s matches" */
function Matched(props: { p: Profile }) {
  const { p } = props;
  if (!query.value) return <output id="matched" class="share" />;
  const found = matches.value;
  const whole = formatValue(p.total, p.sampleType.unit);
  const text =
    !found || !pattern.value
      ? "not a regular expression"
      : found.functionCount === 0
        ? "no function matches"
        : `${formatPercent(found.weight, p.tree.width[0])} of ${whole} matches`;
  return (
    <output id="matched" class="share">
      {text}
    </output>
  );
}

/** "62.10% of 38.2s in view" */
function InView(props: { p: Profile }) {
  const { p } = props;
  const { span } = zoom.value;
  const whole = formatValue(p.total, p.sampleType.unit);
  const share = formatPercent(span.to - span.from, p.tree.width[0]);
  return <span class="share">{`${share} of ${whole} in view`}</span>;
}

export function Pills() {
  const p = profile.value;
  if (!p) return <section class="pills" aria-label="Refinements" />;
  const { span } = zoom.value;
  const narrowed = route.value.zoom !== "" && span.to - span.from < p.tree.width[0];
  const zoomed = narrowed && route.value.view === "flame" ? zoomName(p) : "";
  return (
    <section class="pills" aria-label="Refinements">
      <ul>
        {zoomed && (
          <Pill kind="zoom" value={zoomed} onRemove={() => navigate({ zoom: "" }, "push")} />
        )}
        {chosenFunction.value && chosenFunction.value !== zoomed && (
          <Pill
            kind="selected"
            value={chosenFunction.value}
            onRemove={() => navigate({ selected: "", at: "" }, "push")}
          />
        )}
      </ul>
      {!zoomed && !chosenFunction.value && <Legend p={p} />}
      <Matched p={p} />
      {zoomed && <InView p={p} />}
    </section>
  );
}
