// SPDX-License-Identifier: MIT
//
// The row at the top: which numbers, which view, the search, and the switches.

import { helpOpen, matches, navigate, pattern, profile, query, route, search } from "../state.ts";
import { stepMatch } from "../flame/actions.ts";
import type { Theme, View } from "../route.ts";

const views: { view: View; label: string }[] = [
  { view: "flame", label: "Flame" },
  { view: "top", label: "Top" },
];

function SampleTypes() {
  const facts = profile.value?.facts;
  if (!facts || facts.sample_types.length === 0) return null;
  if (facts.sample_types.length === 1)
    return <span class="sample-type">{facts.sample_types[0].type}</span>;
  return (
    <select
      class="sample-type"
      aria-label="Sample type"
      value={String(facts.type)}
      onChange={(e) => {
        const name = facts.sample_types[Number(e.currentTarget.value)].type;
        navigate({ sampleType: name }, "push");
      }}
    >
      {facts.sample_types.map((t, i) => (
        <option key={t.type} value={String(i)}>
          {t.type}
        </option>
      ))}
    </select>
  );
}

function Views() {
  return (
    <nav aria-label="Views" class="tabs">
      {views.map(({ view, label }) => (
        <button
          key={view}
          type="button"
          aria-current={route.value.view === view ? "page" : undefined}
          onClick={() => navigate({ view }, "push")}
        >
          {label}
        </button>
      ))}
    </nav>
  );
}

function Search() {
  const wrong = query.value !== "" && !pattern.value;
  return (
    <search class="search">
      <input
        id="search"
        type="search"
        placeholder="Search functions  /"
        aria-label="Search functions by regular expression"
        aria-describedby="matched"
        aria-invalid={wrong}
        spellcheck={false}
        autocomplete="off"
        value={query.value}
        onInput={(e) => search(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === "Enter" && matches.value) {
            e.preventDefault();
            stepMatch(e.shiftKey ? -1 : 1);
          } else if (e.key === "Escape") {
            e.stopPropagation();
            if (query.value) search("");
            else e.currentTarget.blur();
          }
        }}
      />
    </search>
  );
}

const themes: { theme: Theme; label: string }[] = [
  { theme: "", label: "as the system" },
  { theme: "light", label: "light" },
  { theme: "dark", label: "dark" },
];

function Switches() {
  const at = themes.findIndex((t) => t.theme === route.value.theme);
  const next = themes[(at + 1) % themes.length];
  const label = `Theme: ${themes[at].label}; change to ${next.label}`;
  return (
    <div class="switches">
      <button
        type="button"
        class="icon"
        title={label}
        aria-label={label}
        onClick={() => navigate({ theme: next.theme }, "replace")}
      >
        ◐
      </button>
      <button
        type="button"
        class="icon"
        title="Keys (?)"
        aria-label="Keys"
        onClick={() => (helpOpen.value = true)}
      >
        ?
      </button>
    </div>
  );
}

export function Toolbar() {
  return (
    <header class="toolbar">
      <h1 class="title" title={profile.value?.facts.title}>
        {profile.value?.facts.title ?? "strobe"}
      </h1>
      <SampleTypes />
      <Views />
      <Search />
      <Switches />
    </header>
  );
}
