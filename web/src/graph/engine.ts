// SPDX-License-Identifier: MIT
//
// Asks the worker for layouts. One that takes too long, or is out of memory, is ended with its
// worker; the next graph starts another.

import type { Done } from "./viz_worker.ts";

declare const VIZ_PATH: string; // of the worker's script: build.mjs puts it here

const PATIENCE_MS = 30_000;

interface Waiting {
  done: (svg: string) => void;
  failed: (e: Error) => void;
  timer: number;
}

let worker: Worker | undefined;
let next = 0;
const waiting = new Map<number, Waiting>();
let makeWorker = (): Worker => new Worker(VIZ_PATH, { type: "module" });

/** Where the worker is not a file of a server's. */
export function engineFrom(make: () => Worker): void {
  makeWorker = make;
}

function end(sentence: string): void {
  worker?.terminate();
  worker = undefined;
  for (const { failed, timer } of waiting.values()) {
    clearTimeout(timer);
    failed(new Error(sentence));
  }
  waiting.clear();
}

function start(): Worker {
  const w = makeWorker();
  w.addEventListener("message", (e: MessageEvent<Done>) => {
    const { id, svg, error } = e.data;
    const one = waiting.get(id);
    waiting.delete(id);
    if (!one) return;
    clearTimeout(one.timer);
    if (svg !== undefined) one.done(svg);
    else one.failed(new Error(`The call graph could not be laid out: ${error ?? "no reason"}.`));
  });
  w.addEventListener("error", () => end("The engine that lays graphs out could not be started."));
  return w;
}

/** The text of dot as SVG. */
export function layOut(dot: string): Promise<string> {
  worker ??= start();
  const to = worker;
  const id = next++;
  return new Promise((done, failed) => {
    const late = `The graph was not laid out in ${PATIENCE_MS / 1000} s: ask for fewer nodes.`;
    const timer = window.setTimeout(() => end(late), PATIENCE_MS);
    waiting.set(id, { done, failed, timer });
    to.postMessage({ id, dot });
  });
}
