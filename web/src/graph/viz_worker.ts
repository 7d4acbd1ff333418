// SPDX-License-Identifier: MIT
//
// Graphviz, in a thread of its own and under a policy of its own: it may compile its WebAssembly,
// which the page may not, and reach nothing. A file by itself, loaded by the first graph only.

import { instance } from "@viz-js/viz";

export interface Job {
  id: number;
  dot: string;
}

export interface Done {
  id: number;
  svg?: string;
  error?: string;
}

const viz = instance();

addEventListener("message", (e: MessageEvent<Job>) => {
  const { id, dot } = e.data;
  void viz
    .then((v): Done => {
      const r = v.render(dot, { format: "svg" });
      if (r.status === "success") return { id, svg: r.output };
      return { id, error: r.errors.map((x) => x.message).join("; ") };
    })
    .catch((error: unknown): Done => ({ id, error: String(error) }))
    .then((done) => postMessage(done));
});
