// SPDX-License-Identifier: MIT
//
// One run of the suite: what it cost, and its profile, call graph, use over time and report.

import { storedSource } from "../data/source.ts";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { View } from "../app.tsx";
import { formatCount, formatValue } from "../data/format.ts";
import { go } from "../serve/go.ts";
import { place } from "../serve/live.ts";
import { pageOf, rangeMs, runViews } from "../serve/place.ts";
import { spellTime } from "../serve/times.ts";
import { source } from "../state.ts";
import { Notice } from "../ui/notice.tsx";
import { Pills } from "../ui/pills.tsx";
import { StatusBar } from "../ui/status.tsx";
import { Toolbar } from "../ui/toolbar.tsx";
import type { FullRun } from "./api.ts";
import { Diagram } from "./diagram.tsx";
import { RunGraph } from "./graph.tsx";
import { openRun, runTrouble } from "./live.ts";

function profileParams(r: FullRun): [string, string][] {
  const query = r.details[0]?.query ?? "";
  return [...r.profiles.map((id): [string, string] => ["id", id]), ["query", query]];
}

/** The dashboard's view of the same program, at the time of the run. */
function followToView(r: FullRun): void {
  const [one] = r.details;
  const page = pageOf(r.kind);
  const recent = Date.now() - one.time_ms < rangeMs("1h") - 60_000;
  go(
    {
      page: page === "cpu" ? "" : page,
      app: one.service_name,
      kind: one.kind,
      range: "1h",
      until: recent ? "" : String(one.time_ms + rangeMs("1h") / 2),
      span: `${one.time_ms}-${one.time_ms + 1}`,
      run: "",
      show: "",
      where: "",
      trend: "",
    },
    { sampleType: "", refine: [], query: "", selected: "" },
  );
}

function facts(r: FullRun): [string, string][] {
  const m = r.metrics;
  const rows: [string, string][] = [["began", spellTime(r.started_ms)]];
  if (m.wall_ns) rows.push(["work", formatValue(m.wall_ns, "ns")]);
  if (m.cpu_ns) rows.push(["CPU time", formatValue(m.cpu_ns, "ns")]);
  if (m.peak_bytes) rows.push(["memory at most", formatValue(m.peak_bytes, "bytes")]);
  if (m.rounds && m.rounds > 1) rows.push(["rounds of load", formatCount(m.rounds)]);
  if (m.profile_samples !== undefined) rows.push(["stacks", formatCount(m.profile_samples)]);
  if (m.verified !== undefined) rows.push(["output", m.verified ? "verified" : "not verified"]);
  const machine = [m.machine?.cpu, m.machine?.cpus && `${m.machine.cpus} CPUs`].filter((t) => t);
  if (machine.length > 0) rows.push(["machine", machine.join(", ")]);
  return rows;
}

function Head(props: { r: FullRun }) {
  const { r } = props;
  return (
    <section class="run-head" aria-label="Run">
      <p class="run-title">
        <button type="button" class="plain" onClick={() => go({ run: "", show: "" })}>
          ‹ suite
        </button>
        <strong>
          {r.program} {r.input} {r.kind}
        </strong>
        <span class={`run-${r.status}`}>{r.status}</span>
        {r.details.length > 0 && (
          <button type="button" class="plain" onClick={() => followToView(r)}>
            in the dashboard
          </button>
        )}
      </p>
      <dl class="facts">
        {facts(r).map(([name, value]) => (
          <div key={name}>
            <dt class="muted">{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {r.metrics.error && <pre class="error">{r.metrics.error}</pre>}
    </section>
  );
}

function RunViews() {
  return (
    <nav class="tabs run-views" aria-label="Views of the run">
      {runViews.map(({ show, label }) => (
        <button
          key={show}
          type="button"
          aria-current={place.value.show === show ? "page" : undefined}
          onClick={() => go({ show: show === "flame" ? "" : show })}
        >
          {label}
        </button>
      ))}
    </nav>
  );
}

/** What `strobe top` prints. */
function Report(props: { r: FullRun }) {
  const text = useSignal("");
  const wrong = useSignal("");
  const params = new URLSearchParams([...profileParams(props.r), ["format", "text"]]);
  const url = `/api/v1/profile?${params}`;
  useEffect(() => {
    let live = true;
    fetch(url)
      .then(async (answer) => {
        const body = await answer.text();
        if (!live) return;
        if (answer.ok) text.value = body;
        else wrong.value = (JSON.parse(body) as { error: string }).error;
      })
      .catch(() => (wrong.value = "strobe serve no longer answers: is it still running?"));
    return () => {
      live = false;
    };
  }, [url]);
  if (wrong.value)
    return (
      <Notice title="The report could not be made.">
        <p>{wrong.value}</p>
      </Notice>
    );
  return (
    <main class="view report">
      <pre tabIndex={0} aria-label="Report" aria-busy={!text.value}>
        {text.value}
      </pre>
    </main>
  );
}

/** The shared profile view, of the run's own profile. */
function RunProfile(props: { r: FullRun }) {
  const { r } = props;
  const key = r.profiles.join(" ");
  useEffect(() => {
    source.value = storedSource(profileParams(r));
  }, [key]);
  return (
    <>
      <Toolbar part />
      <Pills />
      <View />
      <StatusBar />
    </>
  );
}

function RunView(props: { r: FullRun }) {
  const { r } = props;
  const { show } = place.value;
  if (show === "graph") return <RunGraph r={r} />;
  if (r.profiles.length === 0)
    return (
      <Notice title="This run has no profile.">
        <p>
          {r.status === "running"
            ? "It is still going on; its profile is stored when it has ended."
            : r.metrics.error || "It ended before one was taken, or the profile has been deleted."}
        </p>
      </Notice>
    );
  if (show === "diagram")
    return <Diagram url={`/api/v1/profile?${new URLSearchParams(profileParams(r))}&format=svg`} />;
  if (show === "report") return <Report r={r} />;
  return <RunProfile r={r} />;
}

export function RunPage() {
  const r = openRun.value;
  if (runTrouble.value)
    return (
      <Notice title="This run could not be loaded.">
        <p>{runTrouble.value}</p>
        <p>
          <button type="button" class="plain" onClick={() => go({ run: "" })}>
            all runs
          </button>
        </p>
      </Notice>
    );
  if (!r) return <main class="view" aria-busy="true" aria-label="Loading" />;
  return (
    <div class="run-page">
      <Head r={r} />
      <RunViews />
      <RunView r={r} />
    </div>
  );
}
