// SPDX-License-Identifier: MIT
//
// The values of the range over time, as lines. Dragging selects what the profile view shows; a
// click
// selects the profile that is nearest.

import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { autoUnit, formatIn, formatValue } from "../data/format.ts";
import { navigate, route } from "../state.ts";
import type { Timeline } from "./api.ts";
import { defaultType, kind, place, profiles, timeline } from "./live.ts";

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

function spell(t: Timeline, value: number, unit: string): string {
  return `${formatIn(value, t.unit, unit)}${unit}`;
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

function select(from: number, until: number): void {
  const span = `${Math.round(from)}-${Math.round(until)}`;
  navigate({ context: { ...route.peek().context, span }, zoom: "" }, "push");
}

/** The profile whose time is nearest. */
function selectNearest(ms: number): void {
  const list = profiles.peek();
  if (list.length === 0) return;
  const best = list.reduce((a, b) => (Math.abs(b.time_ms - ms) < Math.abs(a.time_ms - ms) ? b : a));
  select(best.time_ms, best.time_ms + 1);
}

function makePlot(host: HTMLElement, t: Timeline): uPlot {
  const style = getComputedStyle(document.documentElement);
  const css = (name: string): string => style.getPropertyValue(name).trim();
  const shown = t.lines.slice(0, LINES);
  const x = Array.from({ length: t.buckets }, (_, i) => (t.from_ms + (i + 0.5) * t.step_ms) / 1000);
  const ys = shown.map((_, i) => chartValues(t, i));
  const largest = Math.max(0, ...ys.flat().map((v) => Math.abs(v ?? 0)));
  const unit = autoUnit(largest, t.unit);
  const axis = {
    stroke: css("--muted"),
    grid: { stroke: css("--line"), width: 1 },
    ticks: { stroke: css("--line"), width: 1 },
    font: `12px ${css("--font")}`,
  };
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
          if (width > 3) select(u.posToVal(left, "x") * 1000, u.posToVal(left + width, "x") * 1000);
        },
      ],
      ready: [
        (u) => {
          let downAt = 0;
          u.over.addEventListener("pointerdown", (e) => (downAt = e.clientX));
          u.over.addEventListener("click", (e) => {
            if (Math.abs(e.clientX - downAt) < 4) selectNearest(u.posToVal(e.offsetX, "x") * 1000);
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

export function Chart() {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const e = host.current;
    if (!e) return;
    let plot: uPlot | undefined;
    const end = effect(() => {
      const t = timeline.value;
      route.value.theme;
      plot?.destroy();
      plot = t && t.lines.length > 0 ? makePlot(e, t) : undefined;
      if (plot) showSelection(plot);
    });
    const size = new ResizeObserver(() => {
      plot?.setSize({ width: e.clientWidth, height: HEIGHT });
      if (plot) showSelection(plot);
    });
    size.observe(e);
    return () => {
      end();
      size.disconnect();
      plot?.destroy();
    };
  }, []);
  const t = timeline.value;
  const lines = t && t.lines.length > 1 ? t.lines.slice(0, LINES) : [];
  return (
    <section class="chart" aria-label="Values over time">
      <h2 class="muted">
        {t ? heading(t, route.value.sampleType || (defaultType.value ?? kind.value)) : ""}
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
            {line.name}: {values.length} values, last {formatValue(last, t.unit)}
            {per}, at most {formatValue(most, t.unit)}
            {per}
          </li>
        );
      })}
    </ul>
  );
}
