// SPDX-License-Identifier: MIT
//
// What is shown compared with another range: as long a time before it, or one that is chosen, by
// its ends or by dragging in the chart with Shift. The profile view is then that of a difference.

import { profile } from "../state.ts";
import { formatCount } from "../data/format.ts";
import { compareWith, go } from "./go.ts";
import { versus } from "./live.ts";
import type { Window } from "./place.ts";
import { spellSpan } from "./times.ts";

/** As fields for dates take it: local time, to the second. */
function fieldValue(ms: number): string {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19);
}

function End(props: { label: string; value: number; put: (ms: number) => void }) {
  const { label, value, put } = props;
  return (
    <input
      type="datetime-local"
      step={1}
      class="plain"
      aria-label={label}
      value={fieldValue(value)}
      onChange={(e) => {
        const ms = new Date(e.currentTarget.value).getTime();
        if (Number.isFinite(ms)) put(ms);
      }}
    />
  );
}

function Range(props: { w: Window }) {
  const { w } = props;
  const set = (change: Partial<Window>): void => {
    const next = { ...w, ...change };
    if (next.from < next.until) compareWith(next);
  };
  const step = (by: number): void => {
    const size = w.until - w.from;
    compareWith({ from: w.from + by * size, until: w.until + by * size });
  };
  return (
    <p class="versus-range">
      <button type="button" class="icon" aria-label="Compare with earlier" onClick={() => step(-1)}>
        ‹
      </button>
      <End label="Compared from" value={w.from} put={(from) => set({ from })} />
      <End label="Compared until" value={w.until} put={(until) => set({ until })} />
      <button type="button" class="icon" aria-label="Compare with later" onClick={() => step(1)}>
        ›
      </button>
    </p>
  );
}

export function Versus() {
  const w = versus.value;
  if (!w)
    return (
      <p class="context-buttons">
        <button
          type="button"
          class="plain"
          title="Or drag in the chart with Shift for another range"
          onClick={() => go({ vs: "before" })}
        >
          compare with the time before
        </button>
      </p>
    );
  const count = profile.value?.merged?.before ?? 0;
  return (
    <div class="versus" role="group" aria-label="Compared with">
      <p>
        <span class="pill" data-pill="versus">
          <span class="pill-kind">since</span>
          <span class="pill-value">{spellSpan(w.from, w.until)}</span>
          <button type="button" aria-label="Compare no more" onClick={() => go({ vs: "" })}>
            ×
          </button>
        </span>{" "}
        {count > 0 && (
          <span class="muted">{`${formatCount(count)} profile${count === 1 ? "" : "s"}`}</span>
        )}
      </p>
      <Range w={w} />
    </div>
  );
}
