// SPDX-License-Identifier: MIT
//
// What the server says beside its answers ("Focus expression matched no samples"): kept with the
// address that it was said of, and shown as long as that is. A line that the reader has put away
// stays away until an answer comes without it.

import { computed, signal } from "@preact/signals";

const KEPT = 200;

const heard = new Map<string, readonly string[]>();

/** The header is a JSON array of texts, percent-encoded. */
export function readWarnings(headers: Headers): string[] {
  const text = headers.get("X-Strobe-Warnings");
  if (!text) return [];
  try {
    return JSON.parse(decodeURIComponent(text)) as string[];
  } catch {
    return [];
  }
}

export function hear(url: string, headers: Headers): void {
  heard.delete(url);
  heard.set(url, readWarnings(headers));
  for (const oldest of heard.keys()) {
    if (heard.size <= KEPT) break;
    heard.delete(oldest);
  }
}

type Place = "profile" | "form";

const shown = signal<Record<Place, readonly string[]>>({ profile: [], form: [] });
const dismissed = signal<ReadonlySet<string>>(new Set());

function linesOf(all: Record<Place, readonly string[]>): string[] {
  return [...new Set([...all.profile, ...all.form])];
}

/** Says whose answers are looked at. */
export function showWarnings(place: Place, urls: readonly string[]): void {
  const lines = urls.flatMap((url) => heard.get(url) ?? []);
  if (lines.join("\n") === shown.peek()[place].join("\n")) return;
  shown.value = { ...shown.peek(), [place]: lines };
  const all = linesOf(shown.peek());
  dismissed.value = new Set([...dismissed.peek()].filter((line) => all.includes(line)));
}

export const warnings = computed(() =>
  linesOf(shown.value).filter((line) => !dismissed.value.has(line)),
);

export function dismissWarnings(): void {
  dismissed.value = new Set(linesOf(shown.peek()));
}
