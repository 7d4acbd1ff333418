// SPDX-License-Identifier: MIT
//
// What a run used of CPU and memory over its time, above one another on one axis, with the phases
// of the run as lines across both.

import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { autoUnit, convert, formatNumber, formatValue } from "../data/format.ts";
import { themed } from "../serve/chart.tsx";
import { spellLength } from "../serve/times.ts";
import { Notice } from "../ui/notice.tsx";
import type { FullRun } from "./api.ts";

const HEIGHT = 210;

interface Curve {
  title: string;
  values: number[];
  spell: (value: number) => string;
  colour: string; // a CSS variable
}

function curves(r: FullRun): Curve[] {
  const unit = autoUnit(Math.max(0, ...r.graph.rss_bytes), "bytes");
  return [
    {
      title: "CPU, % of one",
      values: r.graph.cpu_percent,
      spell: (v) => `${Math.round(v)} %`,
      colour: "--line0",
    },
    {
      title: "resident memory",
      values: r.graph.rss_bytes.map((v) => convert(v, "bytes", unit)),
      spell: (v) => formatNumber(v) + unit,
      colour: "--line1",
    },
  ];
}

/** Lines where phases begin, and their names where there is room. */
function drawPhases(u: uPlot, r: FullRun, css: (name: string) => string): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.strokeStyle = css("--muted");
  ctx.fillStyle = css("--muted");
  ctx.font = `${11 * devicePixelRatio}px ${css("--font")}`;
  ctx.textAlign = "left";
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  r.phases.forEach((phase, i) => {
    const x = Math.round(u.valToPos(phase.at_ms / 1000, "x", true));
    const next = r.phases[i + 1];
    const end = next ? u.valToPos(next.at_ms / 1000, "x", true) : bbox.left + bbox.width;
    if (x < bbox.left || x > bbox.left + bbox.width) return;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (ctx.measureText(phase.name).width + 8 * devicePixelRatio < end - x)
      ctx.fillText(phase.name, x + 4 * devicePixelRatio, bbox.top + 11 * devicePixelRatio);
  });
  ctx.restore();
}

function plot(host: HTMLElement, r: FullRun, c: Curve): uPlot {
  const style = getComputedStyle(document.documentElement);
  const css = (name: string): string => style.getPropertyValue(name).trim();
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
    cursor: { drag: { x: false, y: false }, y: false, sync: { key: "run" } },
    scales: {
      x: { time: false },
      y: { range: (_, __, max) => [0, max > 0 ? max * 1.15 : 1] },
    },
    axes: [
      { ...axis, values: (_, v) => v.map((s) => `${s} s`) },
      { ...axis, size: 78, values: (_, v) => v.map(c.spell) },
    ],
    series: [
      {},
      {
        label: c.title,
        stroke: css(c.colour),
        width: 1.5,
        fill: `${css(c.colour).slice(0, -1)} / 0.12)`,
      },
    ],
    hooks: { draw: [(u) => drawPhases(u, r, css)] },
  };
  return new uPlot(options, [r.graph.at_ms.map((ms) => ms / 1000), c.values], host);
}

function Plot(props: { r: FullRun; c: Curve }) {
  const { r, c } = props;
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const e = host.current;
    if (!e) return;
    let u: uPlot | undefined;
    const end = effect(() => {
      themed.value;
      u?.destroy();
      u = plot(e, r, c);
    });
    const size = new ResizeObserver(() => u?.setSize({ width: e.clientWidth, height: HEIGHT }));
    size.observe(e);
    return () => {
      end();
      size.disconnect();
      u?.destroy();
    };
  }, [r]);
  const most = Math.max(0, ...c.values);
  return (
    <section class="run-curve" aria-label={c.title}>
      <h2 class="muted">
        {c.title} <span>at most {c.spell(most)}</span>
      </h2>
      <div ref={host} class="plot" aria-hidden="true" />
    </section>
  );
}

export function RunGraph(props: { r: FullRun }) {
  const { r } = props;
  if (r.graph.at_ms.length < 2)
    return (
      <Notice title="This run was too short for a graph.">
        <p>What a program uses is looked at ten times a second while it runs.</p>
      </Notice>
    );
  const m = r.metrics;
  return (
    <main class="view run-graph">
      {curves(r).map((c) => (
        <Plot key={c.title} r={r} c={c} />
      ))}
      <p class="muted run-graph-words">
        {m.cpu_ns && m.wall_ns
          ? `${formatValue(m.cpu_ns, "ns")} of CPU time in ${formatValue(m.wall_ns, "ns")} of work`
          : ""}
        {r.phases.length > 0 &&
          ` · ${r.phases.map((p) => `${p.name} at ${spellLength(p.at_ms)}`).join(" · ")}`}
      </p>
    </main>
  );
}
