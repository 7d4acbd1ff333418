// SPDX-License-Identifier: MIT
//
// The dashboard's frame: which application, which range, which view; and what stands there when
// there is nothing to show.

import { Pills } from "../ui/pills.tsx";
import { StatusBar } from "../ui/status.tsx";
import { Toolbar } from "../ui/toolbar.tsx";
import { Help } from "../ui/help.tsx";
import { MenuLayer } from "../ui/menu.tsx";
import { Notice } from "../ui/notice.tsx";
import { useKeyboard } from "../ui/keyboard.ts";
import { View } from "../app.tsx";
import { formatCount, formatValue } from "../data/format.ts";
import type { Context } from "../route.ts";
import { navigate, route } from "../state.ts";
import { Chart } from "./chart.tsx";
import {
  app,
  apps,
  inner,
  kind,
  kindsOf,
  moreProfiles,
  newest,
  place,
  profiles,
  query,
  series,
  shown,
  trouble,
  wide,
} from "./live.ts";
import { pages, rangeMs, ranges, type Page } from "./place.ts";
import { Runs, Targets } from "./lists.tsx";

const afresh = { zoom: "", zoomCallers: "", zoomCallees: "", at: "" };

/** Another place has other boxes: what is zoomed to there is everything. */
function go(change: Context, also: Partial<typeof route.value> = {}): void {
  navigate({ context: { ...route.value.context, ...change }, ...afresh, ...also }, "push");
}

function Navigation() {
  return (
    <nav class="pages" aria-label="Pages">
      {pages.map(({ page, label }) => (
        <button
          key={page}
          type="button"
          aria-current={place.value.page === page ? "page" : undefined}
          onClick={() =>
            go({ page: page === "cpu" ? "" : page, kind: "" }, { sampleType: "", refine: [] })
          }
        >
          {label}
        </button>
      ))}
    </nav>
  );
}

function Applications() {
  return (
    <select
      aria-label="Application"
      class="plain"
      value={app.value}
      onChange={(e) =>
        go({ app: e.currentTarget.value, kind: "", span: "", by: "" }, { refine: [] })
      }
    >
      {apps.value.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

function Ranges() {
  const { range, until } = place.value;
  const half = rangeMs(range) / 2;
  const moved = (by: number): void => {
    const next = (until ?? Date.now()) + by;
    go({ until: next >= Date.now() ? "" : String(Math.round(next)), span: "" });
  };
  return (
    <div class="ranges">
      <select
        aria-label="Range"
        class="plain"
        value={range}
        onChange={(e) => go({ range: e.currentTarget.value, span: "" })}
      >
        {ranges.map((r) => (
          <option key={r} value={r}>
            last {r}
          </option>
        ))}
      </select>
      <button
        type="button"
        class="icon"
        aria-label="Earlier"
        title="Earlier"
        onClick={() => moved(-half)}
      >
        ‹
      </button>
      <button
        type="button"
        class="icon"
        aria-label="Later"
        title="Later"
        disabled={until === undefined}
        onClick={() => moved(half)}
      >
        ›
      </button>
      <button
        type="button"
        class="plain"
        aria-pressed={until === undefined}
        onClick={() => go({ until: "", span: "" })}
      >
        live
      </button>
    </div>
  );
}

function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-GB", { hour12: false });
}

function day(ms: number): string {
  return new Date(ms).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
}

/** "21 Nov 12:01:26 – 13:01:26", or one time for a single profile. */
function spell(from: number, until: number): string {
  if (until - from < 1000) return `${day(from)} ${clock(from)}`;
  const second = day(from) === day(until) ? clock(until) : `${day(until)} ${clock(until)}`;
  return `${day(from)} ${clock(from)} – ${second}`;
}

/** From profile to profile, by time. */
function step(by: 1 | -1): void {
  const list = [...profiles.value].sort((a, b) => a.time_ms - b.time_ms);
  if (list.length === 0) return;
  const s = place.value.selection;
  let at = by > 0 ? 0 : list.length - 1;
  if (s) {
    const later = list.findIndex((p) => p.time_ms >= s.until);
    const earlier = list.filter((p) => p.time_ms < s.from).length - 1;
    at = by > 0 ? (later < 0 ? list.length - 1 : later) : Math.max(0, earlier);
  }
  const ms = list[at].time_ms;
  go({ span: `${ms}-${ms + 1}` });
}

function exportUrl(): string {
  const { from, until } = inner.value;
  const q = new URLSearchParams({ query: query.value, from: String(from), until: String(until) });
  return `/api/v1/profile?${q.toString()}`;
}

/** What the profile view below is made of. */
function ProfileContext() {
  const { from, until } = inner.value;
  const inside = profiles.value.filter((p) => p.time_ms >= from && p.time_ms < until);
  const lost = inside.reduce((sum, p) => sum + (p.lost ?? 0), 0);
  const samples = inside.reduce((sum, p) => sum + p.samples, 0);
  const each = inside.length ? inside[0].duration_ms : 0;
  const same = inside.every((p) => Math.abs(p.duration_ms - each) < each * 0.05);
  const names = [...new Set(shown.value.flatMap((s) => Object.keys(s.labels)))].filter(
    (name) => name !== "service_name",
  );
  const { by, selection } = place.value;
  const more = moreProfiles.value && !selection ? "+" : "";
  return (
    <section class="context" aria-label="What is shown">
      <p>
        <strong id="count">
          {formatCount(inside.length)}
          {more} {inside.length === 1 ? "profile" : "profiles"}
        </strong>
        {each > 0 && same && ` · ${formatValue(each * 1e6, "ns")} each`}
        {samples > 0 && ` · ${formatCount(samples)} samples`}
        {lost > 0 && <span class="warning"> · {formatCount(lost)} lost</span>}
      </p>
      <p class="muted">{spell(from, until)}</p>
      <p class="context-buttons">
        <button
          type="button"
          class="plain"
          onClick={() => step(-1)}
          disabled={!inside.length && !selection}
        >
          ‹ profile
        </button>
        <button
          type="button"
          class="plain"
          onClick={() => step(1)}
          disabled={!inside.length && !selection}
        >
          profile ›
        </button>
        {selection && (
          <button type="button" class="plain" onClick={() => go({ span: "" })}>
            whole range
          </button>
        )}
        <a href={exportUrl()} download>
          pprof
        </a>
      </p>
      <p>
        <label>
          group by{" "}
          <select class="plain" value={by} onChange={(e) => go({ by: e.currentTarget.value })}>
            <option value="">nothing</option>
            {names.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </p>
      <dl>
        {names.map((name) => {
          const values = [...new Set(shown.value.map((s) => s.labels[name] ?? "–"))];
          return (
            <div key={name}>
              <dt class="muted">{name}</dt>
              <dd title={values.join(", ")}>
                {values.length > 3 ? `${values.length} values` : values.join(", ")}
              </dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}

function Kinds(props: { kinds: string[] }) {
  if (props.kinds.length < 2) return null;
  return (
    <nav class="tabs kinds" aria-label="Kinds">
      {props.kinds.map((k) => (
        <button
          key={k}
          type="button"
          aria-current={k === kind.value ? "page" : undefined}
          onClick={() => go({ kind: k }, { sampleType: "" })}
        >
          {k}
        </button>
      ))}
    </nav>
  );
}

const hints: Record<string, string> = {
  cpu: "strobe record --push -- PROGRAM…",
  memory: "strobe push -s NAME heap.pb.gz",
  time: "strobe push -s NAME -k mutex mutex.pb.gz",
};

function Charted(props: { page: Page }) {
  const { page } = props;
  const kinds = kindsOf(page);
  if (!kind.value) {
    const label = pages.find((p) => p.page === page)?.label ?? page;
    return (
      <Notice title={`${app.value} has no ${label} profiles yet.`}>
        <p>They appear here as soon as one is in. To send one, or to have the program scraped:</p>
        <pre>{`${hints[page]}\nstrobe serve -c strobe.yaml`}</pre>
      </Notice>
    );
  }
  return (
    <div class="charted">
      <div class="above">
        <Kinds kinds={kinds} />
        <Chart />
        <ProfileContext />
      </div>
      {profiles.value.length > 0 ? (
        <>
          <Toolbar part />
          <Pills />
          <View />
          <StatusBar />
        </>
      ) : (
        <Notice title="No profile in this range.">
          <p>
            The newest is of {newest.value ? `${day(newest.value)} ${clock(newest.value)}` : "–"}. A
            longer or an earlier range has more.
          </p>
          {newest.value > 0 && (
            <button
              type="button"
              class="plain"
              onClick={() => go({ until: String(newest.value + 60_000), span: "" })}
            >
              go there
            </button>
          )}
        </Notice>
      )}
    </div>
  );
}

function Empty() {
  return (
    <Notice title="Nothing has come in yet.">
      <p>
        Send a profile, let Go programs be scraped, or run the suite; this page follows by itself.
      </p>
      <pre>
        {`strobe push -s NAME cpu.pb.gz
strobe serve -c strobe.yaml
strobe suite run --input short`}
      </pre>
    </Notice>
  );
}

function Content() {
  const { page } = place.value;
  if (page === "targets") return <Targets />;
  if (page === "suite") return <Runs />;
  if (!series.value) return <main class="view" aria-busy="true" aria-label="Loading" />;
  if (series.value.length === 0) return <Empty />;
  return <Charted page={page} />;
}

export function Dashboard() {
  useKeyboard();
  wide.value;
  return (
    <div class="dashboard">
      <header class="toolbar place">
        <h1 class="title">strobe</h1>
        {apps.value.length > 0 && <Applications />}
        {apps.value.length > 0 && <Ranges />}
        <output class="warning">{trouble.value}</output>
      </header>
      <Navigation />
      <Content />
      <MenuLayer />
      <Help />
    </div>
  );
}
