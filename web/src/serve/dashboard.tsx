// SPDX-License-Identifier: MIT
//
// The dashboard's frame: which application, which range, which view; and what stands there when
// there is nothing to show.

import { View } from "../app.tsx";
import { chosenFunction } from "../state.ts";
import { SuitePage } from "../suite/suite.tsx";
import { suite } from "../suite/live.ts";
import { Help } from "../ui/help.tsx";
import { pageKeys, useKeyboard } from "../ui/keyboard.ts";
import { MenuLayer } from "../ui/menu.tsx";
import { Notice } from "../ui/notice.tsx";
import { Pills } from "../ui/pills.tsx";
import { QuestionDialog } from "../ui/question.tsx";
import { StatusBar } from "../ui/status.tsx";
import { Switches, Toolbar } from "../ui/toolbar.tsx";
import { Changed } from "./changed.tsx";
import { Chart } from "./chart.tsx";
import { ProfileContext } from "./context.tsx";
import { go, step } from "./go.ts";
import {
  app,
  appSeries,
  apps,
  charted,
  inside,
  kind,
  kindsOf,
  newest,
  place,
  series,
  shown,
  trouble,
} from "./live.ts";
import { pageOf, pages, rangeMs, ranges, type Page } from "./place.ts";
import { Targets } from "./targets.tsx";
import { spellTime } from "./times.ts";
import { Upload, UploadButton } from "./upload.tsx";
import { Where } from "./where.tsx";

pageKeys["["] = { what: "the profile before", act: () => void step(-1) };
pageKeys["]"] = { what: "the next profile", act: () => void step(1) };

pageKeys["l"] = {
  what: "the trend of the selected function",
  act: () => {
    const name = chosenFunction.peek();
    if (name && charted.peek()) go({ trend: name });
  },
};

function openPage(page: Page): void {
  const change = { page: page === "cpu" ? "" : page, kind: "", trend: "", run: "", show: "" };
  go(change, { sampleType: "", refine: [] });
}

function Navigation() {
  return (
    <nav class="pages" aria-label="Pages">
      {pages.map(({ page, label }) => (
        <button
          key={page}
          type="button"
          aria-current={place.value.page === page ? "page" : undefined}
          onClick={() => openPage(page)}
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
        go(
          { app: e.currentTarget.value, kind: "", span: "", by: "", where: "", trend: "" },
          { refine: [] },
        )
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
            {until === undefined ? "last " : ""}
            {r}
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

function Kinds(props: { kinds: string[] }) {
  if (props.kinds.length < 2) return null;
  return (
    <nav class="tabs kinds" aria-label="Kinds">
      {props.kinds.map((k) => (
        <button
          key={k}
          type="button"
          aria-current={k === kind.value ? "page" : undefined}
          onClick={() => go({ kind: k, trend: "" }, { sampleType: "" })}
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

/** Nothing of this view: why, as far as it is known; where there is something; how to get it. */
function NoKind(props: { page: Page }) {
  const { page } = props;
  const label = pages.find((p) => p.page === page)?.label ?? page;
  const why = suite.value?.programs.find((p) => p.name === app.value)?.views[page];
  const others = pages.filter((p) => appSeries.value.some((s) => pageOf(s.kind) === p.page));
  return (
    <Notice title={`${app.value} has no ${label} profiles yet.`}>
      {why && <p>{why}</p>}
      {others.length > 0 && (
        <p>
          What there is of it:{" "}
          {others.map((p) => (
            <button key={p.page} type="button" class="plain" onClick={() => openPage(p.page)}>
              {p.label}
            </button>
          ))}
        </p>
      )}
      <p>They appear here as soon as one is in. To send one, or to have the program scraped:</p>
      <pre>{`${hints[page].replace("NAME", app.value)}\nstrobe serve -c strobe.yaml`}</pre>
    </Notice>
  );
}

/** The labels fit no series of this kind, or the range holds no profile. */
function NothingHere() {
  if (shown.value.length === 0)
    return (
      <Notice title="No series has these labels.">
        <p>
          <button type="button" class="plain" onClick={() => go({ where: "" })}>
            take the labels away
          </button>
        </p>
      </Notice>
    );
  if (place.value.selection)
    return (
      <Notice title="No profile in this selection.">
        <p>
          <button type="button" class="plain" onClick={() => go({ span: "" })}>
            whole range
          </button>
        </p>
      </Notice>
    );
  return (
    <Notice title="No profile in this range.">
      <p>
        The newest is of {newest.value ? spellTime(newest.value) : "–"}. A longer or an earlier
        range has more.
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
  );
}

function Charted(props: { page: Page }) {
  const { page } = props;
  const kinds = kindsOf(page);
  if (!kind.value) return <NoKind page={page} />;
  const none = inside.value?.profiles.length === 0 || shown.value.length === 0;
  return (
    <div class="charted">
      <div class="above">
        <Kinds kinds={kinds} />
        <Chart />
        <ProfileContext />
      </div>
      {none ? (
        <NothingHere />
      ) : (
        <>
          <Changed />
          <Toolbar part />
          <Pills />
              <View />
          <StatusBar />
        </>
      )}
    </div>
  );
}

function Empty() {
  return (
    <Notice title="Nothing has come in yet.">
      <p>
        Record a program, let Go programs be scraped, or run the suite; this page follows by itself.
        A profile that you have already can be dropped here.
      </p>
      <pre>
        {`strobe record --push -- PROGRAM…
strobe serve -c strobe.yaml
strobe suite run --input short`}
      </pre>
    </Notice>
  );
}

function Content() {
  const { page } = place.value;
  if (page === "targets") return <Targets />;
  if (page === "suite") return <SuitePage />;
  if (!series.value) return <main class="view" aria-busy="true" aria-label="Loading" />;
  if (series.value.length === 0) return <Empty />;
  return <Charted page={page} />;
}

function Head() {
  const some = apps.value.length > 0 && charted.value;
  return (
    <header class="toolbar place">
      <h1 class="title">strobe</h1>
      {some && <Applications />}
      {some && <Ranges />}
      {some && kind.value && <Where />}
      <output class="warning">{trouble.value}</output>
      <UploadButton />
      <Switches />
    </header>
  );
}

export function Dashboard() {
  useKeyboard();
  const { page } = place.value;
  const label = pages.find((p) => p.page === page)?.label ?? "";
  const of = charted.value && app.value ? ` · ${app.value}` : "";
  document.title = `${label}${of} · strobe`;
  return (
    <div class="dashboard">
      <Head />
      <Navigation />
      <div class="content">
        <Upload />
        <Content />
      </div>
      <MenuLayer />
      <Help />
      <QuestionDialog />
    </div>
  );
}
