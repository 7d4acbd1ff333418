// SPDX-License-Identifier: MIT
//
// What of the graph is shown: pprof's settings of nodes and edges, in a row above it.

import type { OptionName, Options } from "../route.ts";
import { navigate, route } from "../state.ts";

export function setOption(name: OptionName, value: string): void {
  const options: Options = { ...route.value.options };
  if (value) options[name] = value;
  else delete options[name];
  navigate({ options }, "push");
}

interface Choice {
  value: string;
  label: string;
}

/** A setting of pprof's as a choice; "" is the default. One that is not in the list is added. */
export function OptionChoice(props: { name: OptionName; label: string; choices: Choice[] }) {
  const { name, label, choices } = props;
  const value = route.value.options[name] ?? "";
  const known = choices.some((c) => c.value === value);
  return (
    <label class="option">
      <span class="muted" aria-hidden="true">
        {label}
      </span>
      <select
        class="quiet"
        aria-label={label}
        value={value}
        onChange={(e) => setOption(name, e.currentTarget.value)}
      >
        {[...choices, ...(known ? [] : [{ value, label: value }])].map((c) => (
          <option key={c.value} value={c.value}>
            {c.label}
          </option>
        ))}
      </select>
    </label>
  );
}

export function OptionSwitch(props: { name: OptionName; label: string }) {
  const { name, label } = props;
  const on = /^(t|true|1|y|yes)$/.test(route.value.options[name] ?? "");
  return (
    <label class="option">
      <input
        type="checkbox"
        checked={on}
        onChange={(e) => setOption(name, e.currentTarget.checked ? "t" : "")}
      />
      {label}
    </label>
  );
}

const counts = ["10", "20", "40", "", "160", "320"].map((value) => ({
  value,
  label: value || "80",
}));

function fractions(values: string[], fallback: string): Choice[] {
  return values.map((value) => ({
    value,
    label: `${Number((Number(value || fallback) * 100).toPrecision(3))}%`,
  }));
}

export const granularities: Choice[] = [
  { value: "", label: "functions" },
  { value: "filefunctions", label: "functions by file" },
  { value: "files", label: "files" },
  { value: "lines", label: "lines" },
  { value: "addresses", label: "addresses" },
];

export function GraphSettings() {
  return (
    <>
      <OptionChoice name="n" label="nodes" choices={counts} />
      <OptionChoice
        name="nf"
        label="at least"
        choices={fractions(["0", "0.001", "", "0.01", "0.05"], "0.005")}
      />
      <OptionChoice
        name="ef"
        label="edges at least"
        choices={fractions(["0", "", "0.005", "0.01", "0.05"], "0.001")}
      />
      <OptionChoice name="g" label="by" choices={granularities} />
      <OptionSwitch name="calltree" label="as a tree" />
    </>
  );
}
