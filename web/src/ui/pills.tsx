// SPDX-License-Identifier: MIT
//
// The row under the toolbar: every refinement as a pill that can be removed, and what share of the
// total these, the search and the zoom leave. The row is always there, so that nothing moves.

import {
  activeGraph,
  addRefinement,
  chosenFunction,
  matches,
  navigate,
  pattern,
  profile,
  query,
  removeRefinement,
  route,
} from "../state.ts";
import { formatPercent } from "../data/format.ts";
import { labelPattern, spellRefinement } from "../data/pattern.ts";
import { nodeName, type Profile } from "../data/profile.ts";
import { searchAsPattern } from "../flame/actions.ts";
import type { Graph } from "../flame/graph.ts";
import { isOn, optionNames, refinementNames, type RefinementKind } from "../route.ts";
import { spellValue } from "../settings.ts";
import { HeatLegend, Legend } from "./legend.tsx";
import { Warnings } from "./warnings.tsx";

function Pill(props: { kind: string; id: string; value: string; onRemove: () => void }) {
  const { kind, id, value } = props;
  return (
    <li class="pill" data-pill={id}>
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

/** What the command line says. The address cannot take it back, only say something else. */
function Given(props: { kind: string; value: string }) {
  return (
    <li class="pill given" title="from the command line">
      <span class="pill-kind">{props.kind}</span>
      <span class="pill-value">{props.value}</span>
    </li>
  );
}

/** pprof's settings that change what every view shows, in its words. */
const settings: Partial<Record<string, string>> = {
  g: "granularity",
  noinlines: "no inlines",
  rel: "relative",
  prunefrom: "prune from",
  ts: "labels shown",
  th: "labels hidden",
  tagroot: "label at the root",
  tagleaf: "label at the leaf",
  mean: "mean",
  dropneg: "no negative",
  unit: "unit",
};

function spellSetting(value: string): string {
  if (isOn(value)) return "yes";
  return /^(f|false|n|no|0)$/i.test(value) ? "no" : value;
}

/** A parameter of the command line as a pill's words; undefined for what no view shows. */
function spellGiven(name: string, value: string): { kind: string; value: string } | undefined {
  if (Object.hasOwn(refinementNames, name))
    return spellRefinement({ kind: name as RefinementKind, value });
  const kind = settings[name];
  return kind ? { kind, value: spellSetting(value) } : undefined;
}

/** The address's settings as pills that can be removed, the command line's as ones that cannot. */
function Settings(props: { p: Profile | undefined }) {
  const { refine, options } = route.value;
  const asked = new Set<string>(refine.map((r) => r.kind));
  const given = (props.p?.facts.given ?? []).filter(
    ([name]) => !asked.has(name) && !Object.hasOwn(options, name),
  );
  return (
    <>
      {given.map(([name, value]) => {
        const spelt = spellGiven(name, value);
        return spelt && <Given key={name} kind={spelt.kind} value={spelt.value} />;
      })}
      {optionNames.map((name) => {
        const kind = settings[name];
        const value = options[name];
        const { [name]: _, ...rest } = options;
        return (
          kind &&
          value && (
            <Pill
              key={name}
              kind={kind}
              id={name}
              value={spellSetting(value)}
              onRemove={() => navigate({ options: rest, zoom: "", at: "" }, "push")}
            />
          )
        );
      })}
    </>
  );
}

function zoomName(g: Graph): string {
  const text = route.value[g.field];
  if (text.startsWith("@")) return "a part of the graph";
  const name = nodeName(g.p, g.zoom.value.node);
  return text.includes("-") ? `calls of ${name}` : name;
}

function zoomed(g: Graph): boolean {
  const { span } = g.zoom.value;
  return route.value[g.field] !== "" && span.to - span.from < g.p.tree.width[0];
}

/** The share a search has; and what to do with all of it. */
function Matched(props: { p: Profile }) {
  const { p } = props;
  if (!query.value) return <output id="matched" class="share" />;
  const found = matches.value;
  const whole = spellValue(p, p.total);
  const some = found && pattern.value && found.functionCount > 0;
  const text =
    !found || !pattern.value
      ? "not a regular expression"
      : found.functionCount === 0
        ? "no function matches"
        : `${formatPercent(found.weight, p.total)} of ${whole} matches`;
  const kinds: { label: string; kind: RefinementKind }[] = [
    { label: "focus", kind: "f" },
    { label: "ignore", kind: "i" },
    { label: "hide", kind: "h" },
  ];
  return (
    <>
      {some &&
        kinds.map(({ label, kind }) => (
          <button
            key={kind}
            type="button"
            class="quiet"
            aria-label={`${label} what matches`}
            onClick={() => addRefinement({ kind, value: searchAsPattern() }, { query: "" })}
          >
            {label}
          </button>
        ))}
      <output id="matched" class="share">
        {text}
      </output>
    </>
  );
}

/** "62.10% of 38.2s in view" */
function InView(props: { g: Graph }) {
  const { p, zoom } = props.g;
  const { span } = zoom.value;
  const whole = spellValue(p, p.total);
  const share = formatPercent(span.to - span.from, p.total);
  return <span class="share">{`${share} of ${whole} in view`}</span>;
}

function Left(props: { p: Profile }) {
  const { p } = props;
  const whole = spellValue(p, p.total);
  return (
    <output
      id="left"
      class="share"
    >{`${formatPercent(p.facts.left, p.total)} of ${whole} left`}</output>
  );
}

function AddLabel(props: { p: Profile }) {
  const { p } = props;
  if (p.facts.labels.length === 0) return null;
  const share = (sum: number): string => formatPercent(sum, p.total);
  return (
    <select
      class="quiet add-label"
      aria-label="Add a label as a filter"
      value=""
      onChange={(e) => {
        const [key, value] = JSON.parse(e.currentTarget.value) as [string, string];
        addRefinement({ kind: "tf", value: labelPattern(key, value) });
        e.currentTarget.value = "";
      }}
    >
      <option value="">+ label</option>
      {p.facts.labels.map((l) => (
        <optgroup
          key={l.key}
          label={l.count > l.values.length ? `${l.key}: the heaviest of ${l.count}` : l.key}
        >
          {l.values.map(({ value, sum }) => (
            <option key={value} value={JSON.stringify([l.key, value])}>
              {`${value}  ${share(sum)}`}
            </option>
          ))}
        </optgroup>
      ))}
    </select>
  );
}

function PillRow() {
  const p = profile.value;
  const { refine, view } = route.value;
  const g = view === "flame" || view === "calls" ? activeGraph.value : undefined;
  const zoom = g && zoomed(g) ? zoomName(g) : "";
  const chosen = chosenFunction.value;
  return (
    <section class="pills" data-view={view} aria-label="Refinements">
      <ul class="pill-list">
        <Settings p={p} />
        {refine.map((r) => {
          const { kind, value } = spellRefinement(r);
          return (
            <Pill
              key={`${r.kind} ${r.value}`}
              kind={kind}
              id={r.kind}
              value={value}
              onRemove={() => removeRefinement(r)}
            />
          );
        })}
        {zoom && g && (
          <Pill
            kind="zoom"
            id="zoom"
            value={zoom}
            onRemove={() => navigate({ [g.field]: "" }, "push")}
          />
        )}
        {chosen && chosen !== zoom && (
          <Pill
            kind="selected"
            id="selected"
            value={chosen}
            onRemove={() => navigate({ selected: "", at: "" }, "push")}
          />
        )}
      </ul>
      {p && <AddLabel p={p} />}
      {p && (p.sides || view === "flame" || view === "calls") ? (
        <Legend p={p} />
      ) : p && view === "graph" ? (
        <HeatLegend of="share with callees" />
      ) : (
        <span class="legend" />
      )}
      {p && <Matched p={p} />}
      {zoom && g && <InView g={g} />}
      {p && refine.length > 0 && <Left p={p} />}
    </section>
  );
}

/** With what the server says about them. */
export function Pills() {
  return (
    <div class="refinements">
      <PillRow />
      <Warnings />
    </div>
  );
}
