// SPDX-License-Identifier: MIT
//
// What the profile view is made of: how many profiles of what length, what they lost, which program
// on which machine; and the ways to the profiles before and after.

import { formatCount, formatPercent, formatValue } from "../data/format.ts";
import { sampleCounts } from "../data/honesty.ts";
import type { Profile } from "../data/profile.ts";
import { profile } from "../state.ts";
import { canStep, go, step } from "./go.ts";
import { Versus } from "./versus.tsx";
import { baseParams, inner, inside, place, query, shown, versus } from "./live.ts";
import { spellSpan } from "./times.ts";

function exportUrl(): string {
  const { from, until } = inner.value;
  versus.value;
  const q = new URLSearchParams({
    query: query.value,
    from: String(Math.floor(from)),
    until: String(Math.ceil(until)),
  });
  for (const [name, value] of baseParams()) q.set(name, value);
  return `/api/v1/profile?${q.toString()}`;
}

/** " · 10s each", " · 1.00s to 3.10s each"; nothing where profiles have no length. */
function spellEach(lengths: readonly number[]): string {
  const [least, most] = [Math.min(...lengths), Math.max(...lengths)];
  if (!(most > 0)) return "";
  const spell = (ms: number): string => formatValue(ms * 1e6, "ns");
  return most - least < most * 0.05
    ? ` · ${spell(least)} each`
    : ` · ${spell(least)} to ${spell(most)} each`;
}

/** "312 profiles · 10s each · 0.3 % lost" */
function Summary(props: { p: Profile | undefined }) {
  const { p } = props;
  const list = inside.value?.profiles ?? [];
  const count = list.length === 0 ? 0 : (p?.merged?.profiles ?? list.length);
  const counts = p && count > 0 ? sampleCounts(p.facts.comments) : undefined;
  const lost = p?.merged?.lost ?? 0;
  const all = counts ? counts.samples + counts.lost : 0;
  return (
    <p>
      <strong id="count">
        {formatCount(count)} {count === 1 ? "profile" : "profiles"}
      </strong>
      {spellEach(list.map((one) => one.duration_ms))}
      {lost > 0 && (
        <span class="warning">
          {" · "}
          {all > 0 ? formatPercent(lost, all) : formatCount(lost)} lost
        </span>
      )}
      {counts && lost === 0 && " · none lost"}
      {counts && counts.truncated > 0 && (
        <span class="warning"> · {formatPercent(counts.truncated, counts.samples)} truncated</span>
      )}
      {p?.merged?.rounded && (
        <span class="muted" title="Older profiles are kept as sums of ten minutes.">
          {" · whole ten minutes"}
        </span>
      )}
      {(p?.merged?.damaged ?? 0) > 0 && (
        <span class="warning"> · {p?.merged?.damaged} parts could not be read</span>
      )}
    </p>
  );
}

function runtimeOf(p: Profile): string {
  const isGo = p.frameFile.some((f) => p.facts.strings[f].endsWith(".go"));
  const recorder = p.facts.comments.map((c) => /^strobe [\d.]+: (.+?)(, effective|$)/.exec(c)?.[1]);
  const how = recorder.find((r) => r);
  return isGo ? "Go" : how ? `native, ${how}` : "native";
}

/** Names and values: labels of the series first, then what the profile itself tells. */
function contextRows(p: Profile | undefined): [string, string[]][] {
  const names = [...new Set(shown.value.flatMap((s) => Object.keys(s.labels)))];
  const rows: [string, string[]][] = names
    .filter((name) => name !== "service_name")
    .map((name) => [name, [...new Set(shown.value.map((s) => s.labels[name] ?? "–"))]]);
  if (!p || p.facts.sample_count === 0) return rows;
  rows.push(["runtime", [runtimeOf(p)]]);
  if (p.merged?.program) rows.push(["program", [p.merged.program]]);
  if (p.merged?.build) rows.push(["build", [p.merged.build.slice(0, 12)]]);
  return rows;
}

function Steps() {
  return (
    <>
      <button
        type="button"
        class="plain"
        title="The profile before ([)"
        onClick={() => void step(-1)}
        disabled={!canStep()}
      >
        ‹ profile
      </button>
      <button
        type="button"
        class="plain"
        title="The next profile (])"
        onClick={() => void step(1)}
        disabled={!canStep()}
      >
        profile ›
      </button>
      {place.value.selection && (
        <button type="button" class="plain" onClick={() => go({ span: "" })}>
          whole range
        </button>
      )}
    </>
  );
}

export function ProfileContext() {
  const { from, until } = inner.value;
  const p = profile.value;
  const some = (inside.value?.profiles.length ?? 0) > 0;
  return (
    <section class="context" aria-label="What is shown">
      <Summary p={p} />
      <p>
        <span class="muted">{spellSpan(from, until)}</span>{" "}
        {some && (
          <a
            href={exportUrl()}
            download
            title="The merged profile, for every tool that reads pprof's"
          >
            pprof
          </a>
        )}
      </p>
      <p class="context-buttons">
        <Steps />
      </p>
      {some && <Versus />}
      <dl>
        {contextRows(some ? p : undefined).map(([name, values]) => (
          <div key={name}>
            <dt class="muted">{name}</dt>
            <dd title={values.join(", ")}>
              {values.length > 3 ? `${values.length} values` : values.join(", ")}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
