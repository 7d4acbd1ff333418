// SPDX-License-Identifier: MIT
//
// Stands where a view would be: what is the case, and what to do.

import type { ComponentChildren } from "preact";

export function Notice(props: { title: string; children: ComponentChildren }) {
  return (
    <main class="notice">
      <h1>{props.title}</h1>
      {props.children}
    </main>
  );
}
