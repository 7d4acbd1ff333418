// SPDX-License-Identifier: MIT
//
// One function's trend in a row: its share over the earlier profiles as a line, how much it has
// changed, and how sure that is.

import { formatP, formatPoints, type Trend } from "../data/change.ts";

const WIDTH = 72;
const HEIGHT = 18;

/** One point a profile, or as many together as fit; the earlier ones first. */
function pointsOf(t: Trend): number[] {
  return t.shares.filter((s) => s !== null);
}

function xOf(i: number, n: number): number {
  return n < 2 ? WIDTH / 2 : (i / (n - 1)) * (WIDTH - 4) + 2;
}

function lineOf(points: readonly number[]): string {
  const most = Math.max(...points, 1e-9);
  const y = (s: number): number => HEIGHT - 3 - (s / most) * (HEIGHT - 6);
  return points
    .map((s, i) => `${i ? "L" : "M"}${xOf(i, points.length).toFixed(1)} ${y(s).toFixed(1)}`)
    .join("");
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** In full, for the tip and for readers. */
export function spellTrend(t: Trend): string {
  const after = `${percent(t.after)} of the total`;
  if (t.beforeCount === 0) return `${after}; there is nothing before to compare it with`;
  const change = `${formatPoints(t.after - t.before)} points, ${formatP(t.p)}`;
  return `${after}, ${percent(t.before)} before: ${change}`;
}

export function TrendCell(props: { t: Trend | undefined }) {
  const { t } = props;
  if (!t) return <td class="trend" />;
  const change = t.after - t.before;
  const sure = t.p < 0.05;
  const known = t.beforeCount > 0 && t.afterCount > 0;
  const points = pointsOf(t);
  const split = t.beforeCount === 0 ? 0 : xOf(t.beforeCount - 0.5, points.length);
  const tone = sure && known ? (change > 0 ? "more" : "less") : "same";
  return (
    <td class={`trend trend-${tone}`} title={spellTrend(t)}>
      <svg width={WIDTH} height={HEIGHT} aria-hidden="true" focusable="false">
        <rect x={split} y="0" width={WIDTH - split} height={HEIGHT} />
        <path d={lineOf(points)} />
      </svg>
      {known ? (
        <>
          <span class="change">{formatPoints(change)}</span>
          <span class="confidence">{formatP(t.p)}</span>
        </>
      ) : (
        <span class="confidence">new</span>
      )}
    </td>
  );
}
