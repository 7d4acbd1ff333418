// SPDX-License-Identifier: MIT
//
// The values of the range over time, as lines, or one function's share. Dragging selects what the
// profile view shows; a click selects the profile that is nearest.

import { computed, effect, signal, untracked } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { autoUnit, convert, formatNumber, formatValue } from "../data/format.ts";
import { route } from "../state.ts";
import type { Timeline } from "./api.ts";
import { GroupBy } from "./group_by.tsx";
import { compareWith, go, selectNearest, selectWindow } from "./go.ts";
import { defaultType, kind, place, timeline, versus } from "./live.ts";

const HEIGHT = 170;
const LINES = 12;

/** Profiles that do not say how long they took have sums only. */
export function isPerSecond(t: Timeline): boolean {
  return t.mode === "rate" && t.lines.some((l) => l.duration_ms.some((d) => d > 0));
}

/** Of rates what a second has; of levels the value. Holes stay holes. */
export function chartValues(t: Timeline, line: number): (number | null)[] {
  const { values, duration_ms } = t.lines[line];
  if (!isPerSecond(t)) return values;
  return values.map((v, i) => (v === null || !duration_ms[i] ? null : (v / duration_ms[i]) * 1000));
}

/** A value of the chart, which is in `unit` already. */
function spell(t: Timeline, value: number, unit: string): string {
  return `${formatNumber(value)}${t.unit === "%" ? " %" : unit}`;
}

/** "cpu, each second", "delay, each 2 min", "inuse_space". */
function heading(t: Timeline, type: string): string {
  if (isPerSecond(t)) return `${type}, each second`;
  if (t.mode === "level") return type;
  const s = t.step_ms / 1000;
  return `${type}, each ${s < 120 ? `${Math.round(s)} s` : `${Math.round(s / 60)} min`}`;
}

function timeLabel(t: Timeline, seconds: number): string {
  const date = new Date(seconds * 1000);
  const days = (t.buckets * t.step_ms) / 86_400_000;
  return days > 1.5
    ? date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })
    : date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

function makePlot(host: HTMLElement, t: Timeline): uPlot {
  const style = getComputedStyle(document.documentElement);
  const css = (name: string): string => style.getPropertyValue(name).trim();
  const shown = t.lines.slice(0, LINES);
  const x = Array.from({ length: t.buckets }, (_, i) => (t.from_ms + (i + 0.5) * t.step_ms) / 1000);
  const values = shown.map((_, i) => chartValues(t, i));
  const largest = Math.max(0, ...values.flat().map((v) => Math.abs(v ?? 0)));
  const unit = autoUnit(largest, t.unit);
  /* In the unit of the axis, whose round numbers are then where the lines are. */
  const ys = values.map((line) => line.map((v) => (v === null ? v : convert(v, t.unit, unit))));
  const axis = {
    stroke: css("--muted"),
    grid: { stroke: css("--line"), width: 1 },
    ticks: { stroke: css("--line"), width: 1 },
    font: `12px ${css("--font")}`,
  };
  let shifted = false;
  const options: uPlot.Options = {
    width: host.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, y: false },
    select: { show: true, left: 0, top: 0, width: 0, height: 0 },
    scales: {
      x: { range: () => [t.from_ms / 1000, (t.from_ms + t.buckets * t.step_ms) / 1000] },
      y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] },
    },
    axes: [
      { ...axis, values: (_, v) => v.map((n) => timeLabel(t, n)) },
      { ...axis, size: 70, values: (_, v) => v.map((n) => spell(t, n, unit)) },
    ],
    series: [
      {},
      ...shown.map((line, i) => ({
        label: line.name,
        stroke: css(shown.length > 1 ? `--line${i}` : "--accent"),
        width: 1.5,
        points: { show: true, size: 4, fill: css(shown.length > 1 ? `--line${i}` : "--accent") },
        spanGaps: false,
      })),
    ],
    hooks: {
      setSelect: [
        (u) => {
          const { left, width } = u.select;
          const at = (x: number): number => u.posToVal(x, "x") * 1000;
          const chosen = { from: at(left), until: at(left + width) };
          if (width > 3) (shifted ? compareWith : selectWindow)(chosen);
        },
      ],
      /* Not before it has its size, from which the box of the selection is reckoned. */
      ready: [
        (u) => {
          showSelection(u);
          let downAt = 0;
          showVersus(u);
          u.over.addEventListener("pointerdown", (e) => {
            downAt = e.clientX;
            shifted = e.shiftKey;
          });
          u.over.addEventListener("click", (e) => {
            if (Math.abs(e.clientX - downAt) < 4)
              void selectNearest(u.posToVal(e.offsetX, "x") * 1000);
          });
        },
      ],
    },
  };
  return new uPlot(options, [x, ...ys] as uPlot.AlignedData, host);
}

/** The box of the selection, which is at least wide enough to be seen. */
function showSelection(u: uPlot): void {
  const s = place.value.selection;
  if (!s) {
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    return;
  }
  const left = u.valToPos(s.from / 1000, "x");
  const width = Math.max(3, u.valToPos(s.until / 1000, "x") - left);
  u.setSelect({ left, width, top: 0, height: u.over.clientHeight }, false);
}

/** The box of the range that is compared with. */
function showVersus(u: uPlot): void {
  let box = u.over.querySelector<HTMLElement>(".versus-box");
  const w = versus.value;
  if (!w) {
    box?.remove();
    return;
  }
  if (!box) {
    box = document.createElement("div");
    box.className = "versus-box";
    u.over.append(box);
  }
  const left = Math.max(0, u.valToPos(w.from / 1000, "x"));
  const right = Math.min(u.over.clientWidth, u.valToPos(w.until / 1000, "x"));
  box.style.left = `${left}px`;
  box.style.width = `${Math.max(0, right - left)}px`;
}

const systemDark = matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(systemDark.matches);
systemDark.addEventListener("change", () => (systemIsDark.value = systemDark.matches));

/** Changes with the colours, which a canvas does not follow by itself. */
export const themed = computed(() => `${route.value.theme} ${systemIsDark.value}`);

const chosenWindow = computed(() => place.value.selection);

export function Chart() {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const e = host.current;
    if (!e) return;
    let plot: uPlot | undefined;
    const remake = (t: Timeline | undefined): void => {
      plot?.destroy();
      plot = t && t.lines.length > 0 ? makePlot(e, t) : undefined;
      if (plot) showSelection(plot);
    };
    /* While a selection is being drawn the chart stays the one that it is drawn on. */
    let held = false;
    let missed = false;
    const hold = (): void => void (held = true);
    const letGo = (): void => {
      setTimeout(() => {
        held = false;
        if (missed) remake(timeline.peek());
        missed = false;
      });
    };
    e.addEventListener("pointerdown", hold);
    addEventListener("pointerup", letGo);
    const end = effect(() => {
      themed.value;
      const t = timeline.value;
      if (held) missed = true;
      else untracked(() => remake(t));
    });
    const endSelection = effect(() => {
      chosenWindow.value;
      versus.value;
      if (!plot) return;
      showSelection(plot);
      showVersus(plot);
    });
    const size = new ResizeObserver(() => {
      plot?.setSize({ width: e.clientWidth, height: HEIGHT });
      if (!plot) return;
      showSelection(plot);
      showVersus(plot);
    });
    size.observe(e);
    return () => {
      end();
      endSelection();
      e.removeEventListener("pointerdown", hold);
      removeEventListener("pointerup", letGo);
      size.disconnect();
      plot?.destroy();
    };
  }, []);
  const t = timeline.value;
  const { trend } = place.value;
  const type = route.value.sampleType || (defaultType.value ?? kind.value);
  const lines = t && t.lines.length > 1 ? t.lines.slice(0, LINES) : [];
  return (
    <section class="chart" aria-label="Values over time">
      <h2 class="muted">
        {trend ? `share of ${type}` : t && heading(t, type)}
        {trend && (
          <span class="pill" data-pill="trend">
            <span class="pill-kind">trend</span>
            <span class="pill-value" title={trend}>
              {trend}
            </span>
            <button
              type="button"
              aria-label="Show the total again"
              onClick={() => go({ trend: "" })}
            >
              ×
            </button>
          </span>
        )}
        <GroupBy />
      </h2>
      <div ref={host} class="plot" aria-hidden="true" />
      {t && <ChartTwin t={t} />}
      <ul class="chart-legend" hidden={lines.length === 0}>
        {lines.map((line, i) => (
          <li key={line.name} class="legend-item">
            <span class={`swatch line-${i}`} aria-hidden="true" />
            {line.name || "(none)"}
          </li>
        ))}
        {t && t.lines.length > LINES && <li>and {t.lines.length - LINES} smaller ones</li>}
      </ul>
    </section>
  );
}

function inWords(t: Timeline, value: number): string {
  return t.unit === "%" ? spell(t, value, "") : formatValue(value, t.unit);
}

/** The chart in words, for those who do not see it. */
function ChartTwin(props: { t: Timeline }) {
  const { t } = props;
  return (
    <ul class="for-readers" id="chart-twin">
      {t.lines.slice(0, LINES).map((line, i) => {
        const values = chartValues(t, i).filter((v) => v !== null);
        const last = values.length ? values[values.length - 1] : 0;
        const most = Math.max(0, ...values);
        const per = isPerSecond(t) ? " per second" : "";
        return (
          <li key={line.name}>
            {line.name}: {values.length} values, last {inWords(t, last)}
            {per}, at most {inWords(t, most)}
            {per}
          </li>
        );
      })}
    </ul>
  );
}
