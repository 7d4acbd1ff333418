// SPDX-License-Identifier: MIT
//
// Starts the page: state from the URL, the profile from the server, and the views from both.

import { effect } from "@preact/signals";
import { render } from "preact";
import { App } from "./app.tsx";
import { applyTheme, followHistory, load, route, source } from "./state.ts";

source.value = {
  path: "/api/profile",
  params: [],
  form: (form) => ({ path: `/api/${form}`, params: [] }),
};
followHistory();
effect(applyTheme);
effect(() => {
  [route.value, source.value];
  void load();
});

const root = document.getElementById("app");
if (root) render(<App />, root);
