// SPDX-License-Identifier: MIT
//
// The source of the chosen function: what each line costs by itself and with its callees beside it,
// the dearest the warmest; on demand with the instructions below their lines, and the calls that
// were inlined there.

import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { useForm } from "../data/form.ts";
import { formatIn, formatPercent } from "../data/format.ts";
import type { Profile } from "../data/profile.ts";
import { formUrl } from "../data/source.ts";
import { OptionSwitch } from "../graph/settings.tsx";
import { isSaved } from "../saved/open.ts";
import { navigate, route, source } from "../state.ts";
import { NoticeWithin } from "../ui/notice.tsx";
import { useWindow } from "../ui/window.ts";
import {
  hasCode,
  heaviestRow,
  readSource,
  sourceRows,
  sourceUnit,
  type Row,
  type SourceData,
} from "./data.ts";
import { Missing, pathParams } from "./paths.tsx";
import { subjectOf } from "./subject.ts";

const ROW = 20;

function shown(value: number, data: SourceData, unit: string): string {
  return value === 0 ? "" : formatIn(value, data.unit, unit);
}

function Values(props: { f: number; c: number; data: SourceData; unit: string }) {
  const { f, c, data, unit } = props;
  return (
    <>
      <td class="number">{shown(f, data, unit)}</td>
      <td class="number">{shown(c, data, unit)}</td>
      <td class="number of-total">{c === 0 ? "" : formatPercent(c, data.total)}</td>
    </>
  );
}

function Empty() {
  return <td colSpan={3} class="number" />;
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function SourceRow(props: {
  row: Row;
  data: SourceData;
  unit: string;
  toggle: (id: string) => void;
}) {
  const { row, data, unit, toggle } = props;
  if (row.kind === "head")
    return (
      <tr class="source-head">
        <Values f={row.f.flat} c={row.f.cum} data={data} unit={unit} />
        <th scope="rowgroup" colSpan={2} title={`${row.f.name} in ${row.f.file}`}>
          <span class="source-name">{row.f.name}</span> <span class="muted">{row.f.file}</span>
        </th>
      </tr>
    );
  if (row.kind === "gap")
    return (
      <tr class="source-gap">
        <Empty />
        <td class="number muted">⋮</td>
        <td />
      </tr>
    );
  if (row.kind === "call")
    return (
      <tr class="source-call">
        <Empty />
        <td />
        <td class="code">
          <span style={{ paddingLeft: `${2 + 2 * row.depth}ch` }}>
            <span class="badge">inlined</span> {row.call.s.trim()}
            <span class="at" title={row.call.file}>
              {baseOf(row.call.file)}:{row.call.line}
            </span>
          </span>
        </td>
      </tr>
    );
  if (row.kind === "inst") {
    const { inst } = row;
    return (
      <tr class={`source-inst warm-${row.heat}${inst.b ? " block" : ""}`}>
        <Values f={inst.f} c={inst.c} data={data} unit={unit} />
        <td />
        <td class="code">
          <span style={{ paddingLeft: `${2 + 2 * inst.calls.length}ch` }}>
            <span class="muted">{inst.a}</span>
            {"  "}
            {inst.t}
            <span class="at">{inst.at}</span>
          </span>
        </td>
      </tr>
    );
  }
  const { line, id } = row;
  const live = hasCode(line);
  return (
    <tr
      class={`source-line warm-${row.heat}${live ? " live" : ""}`}
      data-line={line.n}
      onClick={live ? () => toggle(id) : undefined}
    >
      <Values f={line.f} c={line.c} data={data} unit={unit} />
      <td class="number line-number">
        {live ? (
          <button
            type="button"
            class="line-button"
            aria-expanded={row.open}
            aria-label={`Instructions of line ${line.n}`}
          >
            {line.n}
          </button>
        ) : (
          line.n
        )}
      </td>
      <td class="code">{line.s ?? <i>(not there)</i>}</td>
    </tr>
  );
}

function Listing(props: { data: SourceData; name: string }) {
  const { data, name } = props;
  const closed = useSignal<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => sourceRows(data, closed.value), [data, closed.value]);
  const unit = useMemo(() => sourceUnit(data), [data]);
  const { scroller, virtualizer, items, before, after } = useWindow(rows.length, ROW);
  useEffect(() => {
    const at = heaviestRow(rows);
    if (at > 12) virtualizer.scrollToIndex(at, { align: "center" });
  }, [data]);
  const toggle = (id: string): void => {
    const next = new Set(closed.peek());
    if (!next.delete(id)) next.add(id);
    closed.value = next;
  };
  const inUnit = unit ? ` (${unit})` : "";
  return (
    <div
      ref={scroller}
      class="top source"
      tabIndex={0}
      role="region"
      aria-label={`Source of ${name}`}
    >
      <table aria-label="Lines and what they cost">
        <colgroup>
          <col class="value" />
          <col class="value" />
          <col class="value of-total" />
          <col class="line-number" />
          <col />
        </colgroup>
        <thead>
          <tr>
            <th scope="col" class="head number">
              Flat{inUnit}
            </th>
            <th scope="col" class="head number">
              Cum{inUnit}
            </th>
            <th scope="col" class="head number of-total">
              of total
            </th>
            <th scope="col" class="head number">
              Line
            </th>
            <th scope="col" class="head name">
              Source
            </th>
          </tr>
        </thead>
        <tbody>
          <tr aria-hidden="true" style={{ height: `${before}px` }} />
          {items.map((item) => (
            <SourceRow
              key={item.index}
              row={rows[item.index]}
              data={data}
              unit={unit}
              toggle={toggle}
            />
          ))}
          <tr aria-hidden="true" style={{ height: `${after}px` }} />
        </tbody>
      </table>
    </div>
  );
}

function Remarks(props: { data: SourceData }) {
  const { data } = props;
  const { assembly } = route.value;
  const lines = data.functions.flatMap((f) => f.lines);
  const some = lines.some((l) => l.i?.some((i) => i.t !== ""));
  return (
    <span class="view-facts muted">
      {assembly && !some
        ? "no instructions: the binary is not where the profile says, or binutils is not installed"
        : assembly
          ? "a line has what was inlined into it as its own; a click folds its instructions"
          : ""}
      {data.left_out > 0 && ` · ${data.left_out} more functions match`}
    </span>
  );
}

export function SourceView(props: { p: Profile }) {
  const { p } = props;
  const assembly = route.value.assembly && !isSaved();
  const subject = subjectOf(p);
  const from = source.value;
  const asked: [string, string][] = [
    subject.name ? ["fn", subject.name] : ["re", subject.re],
    ...(assembly ? [["asm", "1"] as [string, string]] : []),
    ...pathParams.value,
  ];
  const url = from ? formUrl(from, route.value, "source", asked) : "";
  const { value: data, failure, busy } = useForm(url, readSource);
  const title = subject.name || `what matches ${subject.re}`;
  return (
    <main class="view source-view" aria-busy={busy}>
      <div class="view-settings" role="group" aria-label="Settings of the source">
        <span class="source-name" title={title}>
          {title}
        </span>
        {!isSaved() && (
          <label class="option">
            <input
              type="checkbox"
              checked={assembly}
              onChange={(e) => navigate({ assembly: e.currentTarget.checked }, "push")}
            />
            instructions
          </label>
        )}
        {assembly && <OptionSwitch name="intel" label="Intel's syntax" />}
        {data && !failure ? <Remarks data={data} /> : <span class="view-facts" />}
      </div>
      {failure ? (
        <NoticeWithin title="There is no source to show.">
          <p>{failure}</p>
        </NoticeWithin>
      ) : data ? (
        <>
          <Missing data={data} />
          <Listing data={data} name={title} />
        </>
      ) : (
        <p class="nothing">{busy ? "Reading…" : ""}</p>
      )}
    </main>
  );
}
