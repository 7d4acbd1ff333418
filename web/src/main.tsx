// SPDX-License-Identifier: MIT
//
// Starts the page: state from the URL, the profile from the server (or from the page itself where
// that was saved), and the views from both.

import { effect } from "@preact/signals";
import { render } from "preact";
import { App } from "./app.tsx";
import { routeFromQuery } from "./route.ts";
import { isSaved, openSaved } from "./saved/open.ts";
import { applyTheme, failure, followHistory, load, route, source } from "./state.ts";

async function start(): Promise<void> {
  if (isSaved()) {
    const query = await openSaved();
    if (query && !location.search) route.value = routeFromQuery(query);
  }
  source.value = {
    path: "/api/profile",
    params: [],
    form: (form) => ({ path: `/api/${form}`, params: [] }),
  };
}

start().catch((e: unknown) => (failure.value = e instanceof Error ? e.message : String(e)));
followHistory();
effect(applyTheme);
effect(() => {
  [route.value, source.value];
  void load();
});

const root = document.getElementById("app");
if (root) render(<App />, root);
