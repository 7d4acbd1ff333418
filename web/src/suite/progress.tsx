// SPDX-License-Identifier: MIT
//
// What the suite does just now: how far it is, what the program uses, and what went wrong, in full.

import { formatValue } from "../data/format.ts";
import { go } from "../serve/go.ts";
import { spellLength } from "../serve/times.ts";
import { token } from "../serve/token.ts";
import type { Current, CurrentRun } from "./api.ts";
import { cancelRuns, current } from "./live.ts";

const marks: Record<string, string> = {
  waiting: "·",
  running: "▸",
  passed: "✓",
  failed: "✗",
  stopped: "–",
};

function RunChip(props: { r: CurrentRun }) {
  const { r } = props;
  const name = `${r.program} ${r.input} ${r.kind}`;
  const took = r.elapsed_ms === null ? "" : ` ${spellLength(r.elapsed_ms)}`;
  const text = (
    <>
      <span aria-hidden="true">{marks[r.state]}</span> {name}
      <span class="muted">{took}</span>
    </>
  );
  const can = r.state === "passed" || r.state === "failed" || r.state === "stopped";
  return (
    <li class={`chip run-${r.state}`} data-run={name}>
      {can ? (
        <button
          type="button"
          class="link"
          aria-label={`${name}, ${r.state}`}
          onClick={() => go({ run: r.id })}
        >
          {text}
        </button>
      ) : (
        text
      )}
    </li>
  );
}

/** "zstd short cpu: loading · 187 % CPU · 46 MB" */
function Now(props: { c: Current }) {
  const { now } = props.c;
  if (!now) return null;
  const use = [
    now.cpu_percent === null ? "" : `${Math.round(now.cpu_percent)} % CPU`,
    now.rss_bytes === null ? "" : formatValue(now.rss_bytes, "bytes"),
  ].filter((t) => t);
  return (
    <span>
      <strong>
        {now.program} {now.input} {now.kind}
      </strong>
      {`: ${now.step}`}
      <span class="muted">{use.length > 0 ? ` · ${use.join(" · ")}` : ""}</span>
    </span>
  );
}

function headline(c: Current): string {
  if (c.state === "stopping") return "Stopping, and cleaning up";
  if (c.state === "running") return `${c.done} of ${c.total} runs done`;
  const failed = c.runs.filter((r) => r.state === "failed").length;
  if (c.result === "passed") return `${c.total} of ${c.total} runs passed`;
  if (c.result === "stopped") return `Stopped after ${c.done} of ${c.total} runs`;
  return failed > 0 ? `${failed} of ${c.total} runs failed` : "The suite failed";
}

/** How far all of it is: runs that are done, and what of the present one has passed. */
function share(c: Current): number {
  if (c.total === 0) return 0;
  const part = c.now ? Math.min(0.95, c.now.elapsed_ms / Math.max(1, c.now.expected_ms)) : 0;
  return Math.min(1, (c.done + part) / c.total);
}

function Output(props: { c: Current }) {
  const { c } = props;
  if (c.lines.length === 0) return null;
  return (
    <details class="output">
      <summary>output</summary>
      <pre tabIndex={0} aria-label="Output of the suite">
        {c.lines_dropped > 0 ? `… ${c.lines_dropped} lines before\n` : ""}
        {c.lines.join("\n")}
      </pre>
    </details>
  );
}

export function Progress() {
  const c = current.value;
  if (!c || c.state === "none") return null;
  const busy = c.state === "running" || c.state === "stopping";
  const expected = Math.max(c.expected_ms, c.elapsed_ms);
  const errors = c.runs.filter((r) => r.state === "failed" && r.error);
  return (
    <section class="progress" aria-label="Progress" data-state={c.state}>
      <p class="progress-line">
        <strong id="progress" role="status">
          {headline(c)}
        </strong>
        <Now c={c} />
        <span class="muted progress-time">
          {busy
            ? `${spellLength(c.elapsed_ms)} of about ${spellLength(expected)}`
            : spellLength(c.elapsed_ms)}
        </span>
        {busy && (
          <button
            type="button"
            class="plain"
            disabled={c.state === "stopping" || !token.value}
            onClick={() => void cancelRuns()}
          >
            Cancel
          </button>
        )}
      </p>
      {busy && <progress value={share(c)} aria-label="Runs done" />}
      {c.error && <pre class="error">{c.error}</pre>}
      {errors.map((r) => (
        <div key={r.id} class="run-error">
          <strong>
            {r.program} {r.input} {r.kind}
          </strong>
          <pre class="error">{r.error}</pre>
        </div>
      ))}
      <ul class="chips">
        {c.runs.map((r) => (
          <RunChip key={r.id} r={r} />
        ))}
        {c.skipped.map((s) => (
          <li key={s.program} class="chip warning">
            {s.program} skipped: {s.why}
          </li>
        ))}
      </ul>
      <Output c={c} />
    </section>
  );
}
