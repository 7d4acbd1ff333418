// SPDX-License-Identifier: MIT
//
// One line for each value of a label, instead of the total.

import { go } from "./go.ts";
import { place, shown } from "./live.ts";

export function GroupBy() {
  const names = [...new Set(shown.value.flatMap((s) => Object.keys(s.labels)))]
    .filter((name) => name !== "service_name")
    .sort();
  const { by } = place.value;
  if (by && !names.includes(by)) names.push(by);
  return (
    <label class="group-by">
      <span class="muted">group by</span>{" "}
      <select
        class="plain"
        value={by}
        onChange={(e) => go({ by: e.currentTarget.value, trend: "" })}
      >
        <option value="">nothing</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
