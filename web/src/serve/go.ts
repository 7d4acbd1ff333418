// SPDX-License-Identifier: MIT
//
// Ways from one place of the dashboard to another: by address, and from profile to profile.

import type { Context, Route } from "../route.ts";
import { navigate, route } from "../state.ts";
import type { StoredProfile } from "./api.ts";
import { inside, listProfiles, place, trouble, wide } from "./live.ts";
import { rangeMs, writeSpan, type Window } from "./place.ts";
import { sentence } from "./api.ts";

const afresh = { zoom: "", zoomCallers: "", zoomCallees: "", at: "" };

/** Another place has other boxes: what is zoomed to there is everything. */
export function go(change: Context, also: Partial<Route> = {}): void {
  navigate({ context: { ...route.value.context, ...change }, ...afresh, ...also }, "push");
}

export function selectWindow(w: Window): void {
  go({ span: writeSpan(w) });
}

/** What is shown is compared with another range. */
export function compareWith(w: Window): void {
  go({ vs: writeSpan(w) });
}

/** One profile; the chart's range moves along where it lies outside. */
function selectProfile(p: StoredProfile): void {
  const { from, until } = wide.peek();
  const half = rangeMs(place.peek().range) / 2;
  const outside = p.time_ms < from || p.time_ms >= until;
  const next = p.time_ms + half;
  const moved = outside ? { until: next >= Date.now() ? "" : String(Math.round(next)) } : {};
  go({ ...moved, span: `${p.time_ms}-${p.time_ms + 1}` });
}

const BEGINNING = 0;

async function before(ms: number): Promise<StoredProfile | undefined> {
  return (await listProfiles({ from: BEGINNING, until: ms }, 1)).profiles.at(-1);
}

/** The list begins with the newest, so the next one is looked for in windows that grow. */
async function after(ms: number): Promise<StoredProfile | undefined> {
  let width = 60_000;
  for (let from = ms; from <= Date.now();) {
    const { profiles, more } = await listProfiles({ from, until: from + width }, 1000);
    if (more && width > 1) {
      width = Math.ceil(width / 8);
      continue;
    }
    if (profiles.length > 0) return profiles[0];
    from += width;
    width *= 4;
  }
  return undefined;
}

let stepping = false;

/** To the profile before or after the selection; of a whole range to its last or its first. */
export async function step(by: 1 | -1): Promise<void> {
  if (stepping) return;
  stepping = true;
  try {
    const s = place.peek().selection;
    const { from, until } = wide.peek();
    const single = s && s.until - s.from <= 1;
    const start = by > 0 ? (single ? s.until : (s?.from ?? from)) : single ? s.from : undefined;
    const found = await (by > 0 ? after(start ?? from) : before(start ?? s?.until ?? until));
    if (found) selectProfile(found);
  } catch (e) {
    trouble.value = sentence(e);
  } finally {
    stepping = false;
  }
}

/** The profile whose time is nearest. */
export async function selectNearest(ms: number): Promise<void> {
  try {
    const [earlier, later] = await Promise.all([before(ms), after(ms)]);
    const found = [earlier, later]
      .filter((p) => p !== undefined)
      .sort((a, b) => Math.abs(a.time_ms - ms) - Math.abs(b.time_ms - ms))[0];
    if (found) selectProfile(found);
  } catch (e) {
    trouble.value = sentence(e);
  }
}

export function canStep(): boolean {
  return (inside.value?.profiles.length ?? 0) > 0 || place.value.selection !== undefined;
}
