// SPDX-License-Identifier: MIT
//
// Stands where a view would be, or within one: what is the case, and what to do.

import type { ComponentChildren } from "preact";

interface Said {
  title: string;
  children: ComponentChildren;
}

export function Notice(props: Said) {
  return (
    <main class="notice">
      <h1>{props.title}</h1>
      {props.children}
    </main>
  );
}

/** In a view that keeps its settings: a page has one `main`. */
export function NoticeWithin(props: Said) {
  return (
    <section class="notice">
      <h1>{props.title}</h1>
      {props.children}
    </section>
  );
}
