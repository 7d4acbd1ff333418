// SPDX-License-Identifier: MIT
//
// Starts the dashboard of `strobe serve`.

import { effect } from "@preact/signals";
import { render } from "preact";
import { applyTheme, followHistory, load, route, source } from "../state.ts";
import { Dashboard } from "./dashboard.tsx";
import { start } from "./live.ts";

/* The link that strobe serve prints ends in the token that changing requests need. It belongs into
 * no history and no copied link. */
if (location.hash.startsWith("#token="))
  history.replaceState(null, "", location.pathname + location.search);

followHistory();
effect(applyTheme);
start();
effect(() => {
  [route.value, source.value];
  void load();
});

const root = document.getElementById("app");
if (root) render(<Dashboard />, root);
