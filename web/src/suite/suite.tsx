// SPDX-License-Identifier: MIT
//
// The suite: programs as rows, inputs as columns, and in each cell the newest run of each kind of
// the view that is chosen. Runs are started here, and every one leads to its own page.

import { useSignal } from "@preact/signals";
import { formatValue } from "../data/format.ts";
import { go } from "../serve/go.ts";
import { NeedsToken } from "../serve/needs_token.tsx";
import { place } from "../serve/live.ts";
import { pageOf, sortKinds, suiteTabs, type SuiteTab } from "../serve/place.ts";
import { spellLength, spellTime } from "../serve/times.ts";
import { token } from "../serve/token.ts";
import { Notice } from "../ui/notice.tsx";
import type { Run, Suite, SuiteProgram } from "./api.ts";
import { current, runs, startRuns, startTrouble, suite, suiteTrouble } from "./live.ts";
import { Progress } from "./progress.tsx";
import { RunPage } from "./run.tsx";

function isBusy(): boolean {
  const state = current.value?.state;
  return state === "running" || state === "stopping";
}

function Choice(props: {
  label: string;
  all?: string;
  values: readonly string[];
  value: string;
  set: (value: string) => void;
}) {
  const { label, all, values, value, set } = props;
  return (
    <select
      class="plain"
      aria-label={label}
      value={value}
      onChange={(e) => set(e.currentTarget.value)}
    >
      {all && <option value="all">{all}</option>}
      {values.map((v) => (
        <option key={v} value={v}>
          {v}
        </option>
      ))}
    </select>
  );
}

/** What is to be run, and the button. */
function Start(props: { s: Suite }) {
  const { s } = props;
  const program = useSignal("all");
  const input = useSignal("short");
  const kind = useSignal("all");
  const what = { program: program.value, input: input.value, kind: kind.value };
  const one = s.programs.find((p) => p.name === program.value);
  const kinds = one ? one.kinds.map((k) => k.name) : s.kinds;
  return (
    <div class="start">
      <Choice
        label="Programs to run"
        all="all programs"
        values={s.programs.filter((p) => p.installed).map((p) => p.name)}
        value={program.value}
        set={(v) => {
          program.value = v;
          kind.value = "all";
        }}
      />
      <Choice label="Input" values={s.inputs} value={input.value} set={(v) => (input.value = v)} />
      <Choice
        label="Kinds of profiles"
        all="all kinds"
        values={kinds}
        value={kind.value}
        set={(v) => (kind.value = v)}
      />
      <button
        type="button"
        class="plain primary"
        disabled={!token.value || isBusy()}
        onClick={() => void startRuns(what)}
      >
        Run profiling
      </button>
    </div>
  );
}

function Tabs() {
  return (
    <nav class="tabs" aria-label="Kinds of profiles">
      {suiteTabs.map(({ tab, label }) => (
        <button
          key={tab}
          type="button"
          aria-current={place.value.tab === tab ? "page" : undefined}
          onClick={() => go({ tab: tab === "cpu" ? "" : tab })}
        >
          {label}
        </button>
      ))}
    </nav>
  );
}

function newestOf(list: readonly Run[], program: string, input: string, kind: string) {
  return list.find((r) => r.program === program && r.input === input && r.kind === kind);
}

function took(r: Run): string {
  const ns = r.metrics.wall_ns;
  if (ns) return formatValue(ns, "ns");
  return r.ended_ms === null ? "running" : spellLength(r.ended_ms - r.started_ms);
}

/** One kind in a cell: its newest run, and the way to run it again. */
function KindLine(props: {
  program: SuiteProgram;
  input: string;
  kind: string;
  run?: Run | undefined;
}) {
  const { program, input, kind, run } = props;
  const name = `${program.name} ${input} ${kind}`;
  return (
    <li class="kind-line" data-cell={name}>
      <span class="kind-name">{kind}</span>
      {run ? (
        <button
          type="button"
          class={`link run-${run.status}`}
          aria-label={`${name}: ${run.status}, ${took(run)}, ${spellTime(run.started_ms)}`}
          title={
            run.metrics.error ||
            `${spellTime(run.started_ms)}; opens its profile, diagram, graph and report`
          }
          onClick={() => go({ run: run.id, show: "" })}
        >
          <span class="run-status">{run.status}</span> {took(run)}
          {run.metrics.peak_bytes ? ` · ${formatValue(run.metrics.peak_bytes, "bytes")}` : ""}
        </button>
      ) : (
        <span class="muted">not run yet</span>
      )}
      {token.value && program.installed && (
        <button
          type="button"
          class="quiet again"
          aria-label={`Run ${name}`}
          title={`Run ${name}`}
          disabled={isBusy()}
          onClick={() => void startRuns({ program: program.name, input, kind })}
        >
          ▸
        </button>
      )}
    </li>
  );
}

function Row(props: {
  program: SuiteProgram;
  inputs: readonly string[];
  list: readonly Run[];
  tab: SuiteTab;
}) {
  const { program, inputs, list, tab } = props;
  const kinds = sortKinds(program.kinds.map((k) => k.name).filter((k) => pageOf(k) === tab));
  return (
    <tr data-program={program.name}>
      <th scope="row">
        <span class="program">{program.name}</span> <span class="muted">{program.language}</span>
        <span class="muted program-title">{program.title}</span>
        {!program.installed && (
          <span class="warning">
            {program.missing} is not installed: <code>{program.install}</code>
          </span>
        )}
      </th>
      {kinds.length === 0 ? (
        <td colSpan={inputs.length} class="muted why-not">
          {program.views[tab] ?? "It has no profile of these kinds."}
        </td>
      ) : (
        inputs.map((input) => (
          <td key={input} data-head={input}>
            {program.inputs.some((i) => i.name === input) ? (
              <ul>
                {kinds.map((kind) => (
                  <KindLine
                    key={kind}
                    program={program}
                    input={input}
                    kind={kind}
                    run={newestOf(list, program.name, input, kind)}
                  />
                ))}
              </ul>
            ) : (
              <span class="muted">no such input</span>
            )}
          </td>
        ))
      )}
    </tr>
  );
}

function inputHead(s: Suite, input: string): string {
  const lengths = s.programs.flatMap((p) => p.inputs.filter((i) => i.name === input));
  const longest = Math.max(0, ...lengths.map((i) => i.duration_ms));
  return longest > 0 ? `${input}, about ${spellLength(longest)} each` : input;
}

function Table(props: { s: Suite }) {
  const { s } = props;
  const { tab } = place.value;
  const list = runs.value ?? [];
  return (
    <table class="suite-table">
      <caption class="for-readers">The newest run of each program, input and kind</caption>
      <thead>
        <tr>
          <th scope="col">Program</th>
          {s.inputs.map((input) => (
            <th key={input} scope="col">
              {inputHead(s, input)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {s.programs.map((program) => (
          <Row key={program.name} program={program} inputs={s.inputs} list={list} tab={tab} />
        ))}
      </tbody>
    </table>
  );
}

const EARLIER = 60;

function EarlierRuns() {
  const list = (runs.value ?? []).slice(0, EARLIER);
  if (list.length === 0) return null;
  return (
    <details class="earlier">
      <summary>
        all runs <span class="muted">{(runs.value ?? []).length}</span>
      </summary>
      <table>
        <caption class="for-readers">Runs of the suite, the newest first</caption>
        <thead>
          <tr>
            {["Run", "Status", "Began", "Took", "Error"].map((h) => (
              <th key={h} scope="col">
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {list.map((r) => (
            <tr key={r.id}>
              <th scope="row">
                <button type="button" class="link" onClick={() => go({ run: r.id, show: "" })}>
                  {r.program} {r.input} {r.kind}
                </button>
              </th>
              <td class={`run-${r.status}`}>{r.status}</td>
              <td class="number">{spellTime(r.started_ms)}</td>
              <td class="number">{took(r)}</td>
              <td class="error">{r.metrics.error}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

export function SuitePage() {
  if (place.value.run) return <RunPage />;
  const s = suite.value;
  if (!s && suiteTrouble.value)
    return (
      <Notice title="The suite's programs could not be listed.">
        <p>{suiteTrouble.value}</p>
      </Notice>
    );
  if (!s) return <main class="view" aria-busy="true" aria-label="Loading" />;
  return (
    <main class="view lists suite">
      <div class="toolbar">
        <Tabs />
        <Start s={s} />
      </div>
      {!token.value && <NeedsToken what="Starting runs" />}
      {startTrouble.value && (
        <p class="error trouble" role="alert">
          {startTrouble.value}
        </p>
      )}
      <Progress />
      <Table s={s} />
      <EarlierRuns />
    </main>
  );
}
