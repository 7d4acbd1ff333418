// SPDX-License-Identifier: MIT
//
// What is scraped, and the suite's runs: as they are, the newest first.

import { formatValue } from "../data/format.ts";
import { Notice } from "../ui/notice.tsx";
import { runs, targets } from "./live.ts";

function clock(ms: number | null): string {
  return ms === null ? "–" : new Date(ms).toLocaleTimeString("en-GB", { hour12: false });
}

export function Targets() {
  const list = targets.value;
  if (!list) return <main class="view" aria-busy="true" aria-label="Loading" />;
  if (list.length === 0)
    return (
      <Notice title="No program is scraped.">
        <p>Name the /debug/pprof of Go programs in a file, and start with it:</p>
        <pre>strobe serve -c strobe.yaml</pre>
      </Notice>
    );
  return (
    <main class="view lists">
      <table>
        <caption class="for-readers">Programs that are scraped</caption>
        <thead>
          <tr>
            {["Application", "Target", "State", "Kinds", "Last", "Next", "Last error"].map((h) => (
              <th key={h} scope="col">
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {list.map((t) => (
            <tr key={`${t.job} ${t.url}`}>
              <th scope="row">{t.service_name}</th>
              <td>{t.instance}</td>
              <td class={`state-${t.state}`}>{t.state}</td>
              <td>
                {t.kinds.map((k) => (
                  <span key={k.kind} class="kind" title={k.error || undefined}>
                    {k.kind} <span class="muted">{k.state === "ok" ? k.stored : k.state}</span>
                  </span>
                ))}
              </td>
              <td class="number">{clock(t.last_ms)}</td>
              <td class="number">{clock(t.next_ms)}</td>
              <td class="error">{t.error && `${clock(t.error_ms)} ${t.error}`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </main>
  );
}

export function Runs() {
  const list = runs.value;
  if (!list) return <main class="view" aria-busy="true" aria-label="Loading" />;
  if (list.length === 0)
    return (
      <Notice title="The suite has not been run yet.">
        <p>It builds real programs, runs them under the profiler, and its runs appear here:</p>
        <pre>strobe suite run --input short</pre>
      </Notice>
    );
  return (
    <main class="view lists">
      <table>
        <caption class="for-readers">Runs of the suite</caption>
        <thead>
          <tr>
            {["Program", "Input", "Kind", "Status", "Began", "Took"].map((h) => (
              <th key={h} scope="col">
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {list.map((r) => (
            <tr key={r.id}>
              <th scope="row">{r.program}</th>
              <td>{r.input}</td>
              <td>{r.kind}</td>
              <td class={r.status === "failed" ? "state-down" : ""}>{r.status}</td>
              <td class="number">{clock(r.started_ms)}</td>
              <td class="number">
                {r.ended_ms === null
                  ? "running"
                  : formatValue((r.ended_ms - r.started_ms) * 1e6, "ns")}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </main>
  );
}
