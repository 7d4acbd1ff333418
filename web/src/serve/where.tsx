// SPDX-License-Identifier: MIT
//
// Which of an application's series are meant: label = value as pills, each removable, and a list of
// the labels there are.

import { appSeries, kind, place } from "./live.ts";
import { formatMatches, type Match } from "./matches.ts";
import { go } from "./go.ts";

const NOT_SHOWN = 40; // values of one label in the list; a series of its own for each run is common

const signs = { "=": "=", "!=": "≠", "=~": "≈", "!~": "≉" } as const;

function setWhere(list: readonly Match[]): void {
  go({ where: formatMatches(list), span: "" });
}

/** Labels of the series and their values, those of the newest series first. */
function labelValues(): [string, string[]][] {
  const values = new Map<string, Set<string>>();
  const list = appSeries.value.filter((s) => s.kind === kind.value);
  for (const s of [...list].sort((a, b) => b.last_ms - a.last_ms))
    for (const [name, value] of Object.entries(s.labels)) {
      if (name === "service_name") continue;
      const known = values.get(name) ?? new Set();
      values.set(name, known.add(value));
    }
  return [...values].map(([name, set]): [string, string[]] => [name, [...set]]).sort();
}

function AddLabel() {
  const { where } = place.value;
  const labels = labelValues().filter(([name]) => !where.some((m) => m.name === name));
  if (labels.length === 0) return null;
  return (
    <select
      class="quiet add-label"
      aria-label="Only series with a label"
      value=""
      onChange={(e) => {
        const [name, value] = JSON.parse(e.currentTarget.value) as [string, string];
        e.currentTarget.value = "";
        setWhere([...where, { name, op: "=", value }]);
      }}
    >
      <option value="">+ label</option>
      {labels.map(([name, values]) => (
        <optgroup
          key={name}
          label={values.length > NOT_SHOWN ? `${name}: the newest of ${values.length}` : name}
        >
          {values.slice(0, NOT_SHOWN).map((value) => (
            <option key={value} value={JSON.stringify([name, value])}>
              {value}
            </option>
          ))}
        </optgroup>
      ))}
    </select>
  );
}

export function Where() {
  const { where } = place.value;
  return (
    <div class="where">
      <ul class="pill-list" aria-label="Labels">
        {where.map((m) => (
          <li key={`${m.name}${m.op}`} class="pill" data-label={m.name}>
            <span class="pill-kind">
              {m.name} {signs[m.op]}
            </span>
            <span class="pill-value" title={m.value}>
              {m.value}
            </span>
            <button
              type="button"
              aria-label={`Remove ${m.name} ${m.op} ${m.value}`}
              onClick={() => setWhere(where.filter((other) => other !== m))}
            >
              ×
            </button>
          </li>
        ))}
      </ul>
      <AddLabel />
    </div>
  );
}
