// SPDX-License-Identifier: MIT
//
// What changed here: the functions whose own share differs from before by more than chance. Each
// leads to its trend.

import { formatP, formatPoints } from "../data/change.ts";
import { navigate, route } from "../state.ts";
import { go } from "./go.ts";
import { inner, place } from "./live.ts";
import { writeSpan } from "./place.ts";
import { changed, against, comparison } from "./trends.ts";
import { spellTrend } from "../tree/trend_cell.tsx";

const SHOWN = 12;

function follow(name: string): void {
  const context = { ...route.value.context, trend: name };
  navigate({ context, selected: name, at: "" }, "push");
}

/** The two ranges that are compared, as the profile view's difference. */
function showDifference(): void {
  const c = comparison.peek();
  if (!c) return;
  const middle = c.from + c.split * c.step;
  const { from, until } = inner.peek();
  const whole = middle <= from || until - from <= 1;
  const before = { from: c.from, until: whole ? Math.min(middle, from) : middle };
  const span = whole ? {} : { span: writeSpan({ from: middle, until: c.until }) };
  go({ ...span, vs: writeSpan(before) });
}

export function Changed() {
  const list = changed.value;
  return (
    <section class="changed" aria-label="What changed here">
      <h2 class="muted" title={against.value && `Against ${against.value}`}>
        what changed here
      </h2>
      {comparison.value && !place.value.versus && (
        <button type="button" class="quiet" onClick={showDifference}>
          difference
        </button>
      )}
      {list?.length === 0 && (
        <span class="muted">nothing beyond chance, against {against.value}</span>
      )}
      <ul>
        {(list ?? []).slice(0, SHOWN).map(({ name, trend }) => (
          <li key={name}>
            <button
              type="button"
              class="quiet"
              title={spellTrend(trend)}
              onClick={() => follow(name)}
            >
              <span class="changed-name">{name.slice(name.lastIndexOf("/") + 1)}</span>{" "}
              <span class={trend.after > trend.before ? "more" : "less"}>
                {formatPoints(trend.after - trend.before)} points
              </span>{" "}
              <span class="muted">({formatP(trend.p)})</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
