// SPDX-License-Identifier: MIT
//
// The top table: what each function costs by itself and with its callees. Only the rows in view are
// in the document.

import { useMemo } from "preact/hooks";
import { formatCount, formatPercent } from "../data/format.ts";
import { formatP } from "../data/change.ts";
import { noiseP, type Sides } from "../data/sides.ts";
import { toneOf } from "../data/module.ts";
import { findFunction, functionNameOf, frameModuleName, type Profile } from "../data/profile.ts";
import {
  chosenFunction,
  hoveredFunction,
  matches,
  navigate,
  openCalls,
  route,
} from "../state.ts";
import { chooseFunction, functionMenu } from "../ui/function_menu.ts";
import { openMenu } from "../ui/menu.tsx";
import { useWindow, type RowVirtualizer } from "../ui/window.ts";
import type { SortKey } from "../route.ts";
import { scopeEnd } from "../flame/label.ts";
import { setOption } from "../graph/settings.tsx";
import { setting, spellIn, spellValue, unitInHead, unitOf } from "../settings.ts";
import { topLimits, topRows, topTable, type TopTableRows } from "./rows.ts";

function SortHead(props: { sort: SortKey; label: string; numeric: boolean; span?: number }) {
  const { sort, label, numeric } = props;
  const active = route.value.sort === sort;
  const descends = numeric !== (active && route.value.reversed);
  return (
    <th
      scope={props.span ? "colgroup" : "col"}
      colSpan={props.span ?? 1}
      class={numeric ? "number" : "name"}
      aria-sort={active ? (descends ? "descending" : "ascending") : "none"}
    >
      <button
        type="button"
        onClick={() => navigate({ sort, reversed: active && !route.value.reversed }, "replace")}
      >
        {label}
        <span aria-hidden="true" class="arrow">
          {active ? (descends ? " ↓" : " ↑") : ""}
        </span>
      </button>
    </th>
  );
}

function Number2(props: { p: Profile; value: number; unit: string }) {
  const { p, value, unit } = props;
  const share = Math.min(100, p.valueTotal ? Math.abs(value / p.valueTotal) * 100 : 0);
  return (
    <>
      <td class="number">{spellIn(p, value, unit)}</td>
      <td class="number share-cell">
        <span class="bar" style={{ width: `${share.toFixed(3)}%` }} />
        <span class="bar-text">{formatPercent(value, p.valueTotal)}</span>
      </td>
    </>
  );
}

/** What a function had before and after, by itself or with callees, and how sure the change is. */
function SidesCells(props: { p: Profile; sides: Sides; fn: number; unit: string }) {
  const { p, sides, fn, unit } = props;
  const cum = route.value.sort === "cum";
  const before = (cum ? sides.functionCum : sides.functionFlat)[fn];
  const change = (cum ? p.functionCum : p.functionFlat)[fn];
  const after = before + change;
  const chance = noiseP(change, (cum ? sides.cumVariance : sides.flatVariance)?.[fn]);
  const only = before === 0 && after > 0 ? "new" : after === 0 && before > 0 ? "gone" : "";
  const shown = (v: number): string => spellIn(p, v, unit);
  const tone = change > 0 ? "more" : change < 0 ? "less" : "same";
  return (
    <>
      <td class="number">{shown(before)}</td>
      <td class="number">{shown(after)}</td>
      <td class={`number change-${tone}`}>{(change > 0 ? "+" : "") + shown(change)}</td>
      <td class="number muted">
        {only || (before > 0 ? `${change < 0 ? "−" : "+"}${formatPercent(change, before)}` : "")}
      </td>
      <td class="number muted">{formatP(chance).replace(/^p = /, "").replace(/^p /, "")}</td>
    </>
  );
}

function Row(props: { p: Profile; fn: number; unit: string; index: number; chosen: boolean }) {
  const { p, fn, unit, index, chosen } = props;
  const frame = p.functionFrame[fn];
  const name = functionNameOf(p, fn);
  const scope = scopeEnd(name);
  const tone = toneOf(frame < 0 ? "" : p.frameGroup[frame]);
  return (
    <tr
      data-function={name}
      data-index={index}
      aria-rowindex={index + 2}
      aria-selected={chosen}
      tabIndex={chosen ? 0 : -1}
      onClick={() => chooseFunction(p, fn)}
      onDblClick={() => openCalls(name)}
      onContextMenu={(e) => {
        const grid = e.currentTarget.closest<HTMLElement>(".top");
        e.preventDefault();
        if (grid) openMenu(functionMenu(p, fn, "Enter"), e.clientX, e.clientY, grid);
      }}
      onPointerEnter={() => (hoveredFunction.value = fn)}
    >
      {p.sides ? (
        <SidesCells p={p} sides={p.sides} fn={fn} unit={unit} />
      ) : (
        <>
          <Number2 p={p} value={p.functionFlat[fn]} unit={unit} />
          <Number2 p={p} value={p.functionCum[fn]} unit={unit} />
        </>
      )}
      <td class="name">
        <span class={`swatch tone-${tone}`} aria-hidden="true" />
        <span class="function" title={name}>
          {scope > 0 && <span class="scope">{name.slice(0, scope)}</span>}
          <span>{name.slice(scope)}</span>
        </span>
        <span class="muted module">{frameModuleName(p, frame)}</span>
      </td>
    </tr>
  );
}

/** Before, after, change and p; sorted by the change of flat, or of cum. */
function SidesHeads(props: { inUnit: string }) {
  const cum = route.value.sort === "cum";
  const what = cum ? "Cum" : "Flat";
  return (
    <>
      <th scope="col" class="head number">
        Before
      </th>
      <th scope="col" class="head number">
        After
      </th>
      <th scope="colgroup" colSpan={2} class="number">
        <button
          type="button"
          title={`Change of ${what.toLowerCase()}; a click takes ${cum ? "flat" : "cum"}`}
          onClick={() => navigate({ sort: cum ? "flat" : "cum", reversed: false }, "replace")}
        >
          {`Change of ${what.toLowerCase()}${props.inUnit} ↓`}
        </button>
      </th>
      <th
        scope="col"
        class="head number"
        title="The chance that sampling alone makes such a change; two runs may differ by more"
      >
        p
      </th>
    </>
  );
}

function moveFocus(e: KeyboardEvent, rows: Int32Array, v: RowVirtualizer, p: Profile): void {
  const page = 20;
  const steps: Record<string, number> = {
    ArrowDown: 1,
    ArrowUp: -1,
    PageDown: page,
    PageUp: -page,
    Home: -rows.length,
    End: rows.length,
  };
  const step = steps[e.key];
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === "Enter") {
    openCalls();
    e.preventDefault();
    return;
  }
  if (step === undefined || rows.length === 0) return;
  e.preventDefault();
  const at = rows.indexOf(findFunction(p, chosenFunction.peek()));
  const next = Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + step));
  chooseFunction(p, rows[next]);
  hoveredFunction.value = -1;
  v.scrollToIndex(next);
}

/** What the settings leave out of the table, and the way to have it. */
function Cut(props: { p: Profile; table: TopTableRows }) {
  const { p, table } = props;
  const light = table.cutoff > 0 ? `, lighter than ${spellValue(p, table.cutoff)} each` : "";
  return (
    <p class="nothing">
      {`${formatCount(table.left_out)} more functions are left out${light}. `}
      <button type="button" class="plain" onClick={() => setOption("trim", "f")}>
        show them
      </button>
    </p>
  );
}

export function TopTable(props: { p: Profile }) {
  const { p } = props;
  const { sort, reversed } = route.value;
  const found = matches.value;
  const limits = topLimits((name) => setting(p, name));
  const byCum = sort === "cum";
  const table = useMemo(
    () => topTable(p, limits, byCum),
    [p, byCum, ...Object.values(limits)],
  );
  const rows = useMemo(
    () => topRows(p, table, found, sort, reversed),
    [p, table, found, sort, reversed],
  );
  const { scroller, virtualizer, items, before, after } = useWindow(rows.length);
  const unit = unitOf(p, table.smallest, p.valueTotal);
  const chosen = findFunction(p, chosenFunction.value);
  const inUnit = unitInHead(unit);
  return (
    <main class="view">
      <div
        ref={scroller}
        class="top"
        tabIndex={0}
        role="region"
        aria-label="Functions"
        onKeyDown={(e) => moveFocus(e, rows, virtualizer, p)}
        onPointerLeave={() => (hoveredFunction.value = -1)}
      >
        <table role="grid" aria-rowcount={rows.length + 1} aria-label="Functions by cost">
          <colgroup>
            <col class="value" />
            <col class="share" />
            <col class="value" />
            <col class="share" />
            {p.sides && <col class="value" />}
            <col />
          </colgroup>
          <thead>
            <tr>
              {p.sides ? (
                <SidesHeads inUnit={inUnit} />
              ) : (
                <>
                  <SortHead sort="flat" label={`Flat${inUnit}`} numeric span={2} />
                  <SortHead sort="cum" label={`Cum${inUnit}`} numeric span={2} />
                </>
              )}
              <SortHead
                sort="name"
                label={`Function · ${formatCount(rows.length)}`}
                numeric={false}
              />
            </tr>
          </thead>
          <tbody>
            <tr aria-hidden="true" style={{ height: `${before}px` }} />
            {items.map((item) => (
              <Row
                key={rows[item.index]}
                p={p}
                fn={rows[item.index]}
                unit={unit}
                index={item.index}
                chosen={rows[item.index] === chosen}
              />
            ))}
            <tr aria-hidden="true" style={{ height: `${after}px` }} />
          </tbody>
        </table>
        {table.left_out > 0 && <Cut p={p} table={table} />}
      </div>
    </main>
  );
}
