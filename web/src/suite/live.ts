// SPDX-License-Identifier: MIT
//
// The suite as the page knows it: its programs, what they have run, and what runs just now. While
// the suite is looked at, one request waits at the server for news.

import { batch, effect, signal } from "@preact/signals";
import { ask, post, sentence } from "../serve/api.ts";
import { charted, kind, place, series } from "../serve/live.ts";
import type { Current, FullRun, Run, Suite } from "./api.ts";

export const suite = signal<Suite | undefined>(undefined);
export const suiteTrouble = signal("");
export const runs = signal<Run[] | undefined>(undefined);
export const current = signal<Current | undefined>(undefined);
export const openRun = signal<FullRun | undefined>(undefined);
export const runTrouble = signal("");
/** What kept a run from being started or stopped. */
export const startTrouble = signal("");

const RUNS = "300";
const RETRY_MS = 2000;

export async function loadSuite(): Promise<void> {
  try {
    suite.value = await ask<Suite>("suite");
    suiteTrouble.value = "";
  } catch (e) {
    suiteTrouble.value = sentence(e);
  }
}

async function loadRuns(): Promise<void> {
  try {
    const list = await ask<{ runs: Run[] }>("runs", { brief: "1", limit: RUNS });
    if (JSON.stringify(list.runs) !== JSON.stringify(runs.peek())) runs.value = list.runs;
  } catch (e) {
    suiteTrouble.value = sentence(e);
  }
}

/** What of the progress means that the list of runs has changed. */
function runsKey(c: Current | undefined): string {
  return c ? c.batch + c.state + c.runs.map((r) => r.state).join("") : "";
}

function take(c: Current): void {
  if (runsKey(c) !== runsKey(current.peek())) void loadRuns();
  current.value = c;
}

async function follow(abort: AbortSignal): Promise<void> {
  while (!abort.aborted) {
    try {
      const rev = current.peek()?.rev;
      take(
        await ask<Current>(
          "suite/runs/current",
          rev === undefined ? {} : { rev: String(rev) },
          abort,
        ),
      );
    } catch {
      if (abort.aborted) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

export async function startRuns(what: Record<string, string>): Promise<void> {
  startTrouble.value = "";
  try {
    take(await post<Current>("suite/runs", what));
  } catch (e) {
    startTrouble.value = sentence(e);
  }
}

export async function cancelRuns(): Promise<void> {
  startTrouble.value = "";
  try {
    take(await post<Current>("suite/runs/cancel", {}));
  } catch (e) {
    startTrouble.value = sentence(e);
  }
}

async function loadRun(id: string): Promise<void> {
  if (openRun.peek()?.id !== id) openRun.value = undefined;
  runTrouble.value = "";
  try {
    const { run } = await ask<{ run: FullRun }>(`runs/${encodeURIComponent(id)}`);
    if (place.peek().run === id) openRun.value = run;
  } catch (e) {
    batch(() => {
      openRun.value = undefined;
      runTrouble.value = sentence(e);
    });
  }
}

export function startSuite(): void {
  let abort: AbortController | undefined;
  let shown = "";
  effect(() => {
    const on = place.value.page === "suite";
    if (on && !abort) {
      abort = new AbortController();
      void follow(abort.signal);
      void loadRuns();
    } else if (!on) {
      abort?.abort();
      abort = undefined;
    }
    const missing = charted.value && series.value !== undefined && kind.value === "";
    if ((on || missing) && !suite.peek()) void loadSuite();
  });
  effect(() => {
    const { run } = place.value;
    if (run && run !== shown) void loadRun(run);
    shown = run;
  });
  /* A run that is looked at while it runs becomes complete when it has ended. */
  effect(() => {
    const listed = runs.value?.find((r) => r.id === place.peek().run);
    const open = openRun.peek();
    if (listed && open && listed.status !== open.status) void loadRun(open.id);
  });
}
