// SPDX-License-Identifier: MIT
//
// What a view shows besides the tree: fetched when the view asks for it, kept for Back, and left
// standing until the next has come.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { request } from "./request.ts";
import { showWarnings } from "./warnings.ts";

const KEPT = 12;

/** Values by their addresses, the newest last. */
const kept = new Map<string, unknown>();

function keep(url: string, value: unknown): void {
  kept.delete(url);
  kept.set(url, value);
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT) break;
    kept.delete(oldest);
  }
}

export function forgetForms(): void {
  kept.clear();
}

export interface Fetched<T> {
  value: T | undefined; // of `url`, or of what was asked for before it
  url: string; // whose value it is
  failure: string; // a sentence, or ""
  busy: boolean;
}

const nothing = { value: undefined, url: "", failure: "", busy: true };

/** `url` "" asks for nothing. `read` must be the same function at every call. */
export function useForm<T>(url: string, read: (answer: Response) => Promise<T>): Fetched<T> {
  const state = useSignal<Fetched<T>>(nothing);
  useEffect(() => {
    if (!url) return;
    let current = true;
    const put = (change: Partial<Fetched<T>>): void => {
      if (current) state.value = { ...state.peek(), ...change };
    };
    const load = async (): Promise<void> => {
      try {
        const known = kept.get(url) as T | undefined;
        if (known === undefined) put({ busy: true });
        const value = known ?? (await read(await request(url)));
        keep(url, value);
        put({ value, url, failure: "", busy: false });
      } catch (e) {
        put({ failure: e instanceof Error ? e.message : String(e), url, busy: false });
      }
      if (current) showWarnings("form", [url]);
    };
    void load();
    return () => {
      current = false;
      showWarnings("form", []);
    };
  }, [url]);
  return state.value;
}
