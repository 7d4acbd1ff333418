// SPDX-License-Identifier: MIT
//
// The row at the top: which numbers, which view, the search, and the switches.

import {
  helpOpen,
  invert,
  matches,
  navigate,
  openCalls,
  pattern,
  profile,
  query,
  route,
  search,
} from "../state.ts";
import { More } from "./more.tsx";
import { stepMatch } from "../flame/actions.ts";
import type { ColourMode, Theme, View } from "../route.ts";

const views: { view: View; label: string }[] = [
  { view: "flame", label: "Flame" },
  { view: "tree", label: "Tree" },
  { view: "top", label: "Top" },
  { view: "calls", label: "Callers" },
  { view: "graph", label: "Graph" },
  { view: "source", label: "Source" },
];

const colours: { mode: ColourMode; label: string }[] = [
  { mode: "module", label: "by module" },
  { mode: "self", label: "by self" },
  { mode: "file", label: "by file" },
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
          onClick={() => (view === "calls" ? openCalls() : navigate({ view }, "push"))}
        >
          {label}
        </button>
      ))}
    </nav>
  );
}

function Toggle(props: { label: string; sign: string; on: boolean; act: () => void }) {
  const { label, sign, on, act } = props;
  return (
    <button
      type="button"
      class="icon"
      title={label}
      aria-label={label}
      aria-pressed={on}
      onClick={act}
    >
      {sign}
    </button>
  );
}

/** What the view can be told about its own looks; each is there only where it has an effect. */
function ViewSwitches() {
  const { view, upwards, inverted, colour, relative } = route.value;
  const sides = profile.value?.sides;
  return (
    <div class="switches view-switches">
      {sides && (
        <select
          class="quiet"
          aria-label="Difference"
          value={relative ? "shares" : "values"}
          onChange={(e) => navigate({ relative: e.currentTarget.value === "shares" }, "push")}
        >
          <option value="values">absolute</option>
          <option value="shares">relative</option>
        </select>
      )}
      {!sides && (view === "flame" || view === "calls") && (
        <select
          class="quiet"
          aria-label="Colour"
          value={colour}
          onChange={(e) => {
            const mode = colours[e.currentTarget.selectedIndex].mode;
            navigate({ colour: mode }, "push");
          }}
        >
          {colours.map(({ mode, label }) => (
            <option key={mode} value={mode}>
              {label}
            </option>
          ))}
        </select>
      )}
      {view === "flame" && (
        <Toggle
          label="Root at the bottom (o)"
          sign="⇅"
          on={upwards}
          act={() => navigate({ upwards: !upwards }, "push")}
        />
      )}
      {(view === "flame" || view === "tree") && (
        <Toggle label="Inverted: begin at the leaves (v)" sign="⟲" on={inverted} act={invert} />
      )}
    </div>
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

/** The theme, and the keys: once a page. */
export function Switches() {
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

/** The page's head, or, as a `part` of a page that has one, only the profile view's. */
export function Toolbar(props: { part?: boolean }) {
  const controls = (
    <>
      <SampleTypes />
      <Views />
      <ViewSwitches />
      <Search />
      <More />
    </>
  );
  if (props.part)
    return (
      <section class="toolbar" aria-label="Profile view">
        {controls}
      </section>
    );
  return (
    <header class="toolbar">
      <h1 class="title" title={profile.value?.facts.title}>
        {profile.value?.facts.title ?? "strobe"}
      </h1>
      {controls}
      <Switches />
    </header>
  );
}
