// SPDX-License-Identifier: MIT
//
// Starts the dashboard of `strobe serve`.

import { effect } from "@preact/signals";
import { render } from "preact";
import { applyTheme, followHistory, load, navigate, route, source } from "../state.ts";
import { Dashboard } from "./dashboard.tsx";
import { startSuite } from "../suite/live.ts";
import { start } from "./live.ts";
import { takeToken } from "./token.ts";
import { startTrends } from "./trends.ts";

takeToken();
/* On a phone the tree reads better than boxes of a few pixels; a link may name another view. */
const phone = matchMedia("(max-width: 700px)").matches;
if (phone && !new URLSearchParams(location.search).has("view"))
  navigate({ view: "tree" }, "replace");

followHistory();
effect(applyTheme);
start();
startTrends();
startSuite();
effect(() => {
  [route.value, source.value];
  void load();
});

const root = document.getElementById("app");
if (root) render(<Dashboard />, root);
