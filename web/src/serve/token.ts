// SPDX-License-Identifier: MIT
//
// The token that requests which change something need. It comes with the link that `strobe serve`
// prints, behind the #, where no server and no log sees it; it is kept for this tab only, and taken
// out of the address at once, so that it stands in no history and in no copied link.

import { signal } from "@preact/signals";

const KEY = "strobe-token";

export const token = signal("");

export function takeToken(): void {
  const found = /^#token=([0-9a-f]+)$/.exec(location.hash)?.[1];
  if (location.hash.startsWith("#token="))
    history.replaceState(null, "", location.pathname + location.search);
  try {
    if (found) sessionStorage.setItem(KEY, found);
    token.value = found ?? sessionStorage.getItem(KEY) ?? "";
  } catch {
    token.value = found ?? ""; /* a browser that keeps nothing: it holds as long as the page */
  }
}

/** The server knows another one by now, as after a restart with another state directory. */
export function forgetToken(): void {
  token.value = "";
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    /* nothing was kept */
  }
}
