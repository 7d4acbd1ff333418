// SPDX-License-Identifier: MIT
//
// Where the tree's trend column comes from. The page of one profile has none; the dashboard sets
// it.

import { signal, type ReadonlySignal } from "@preact/signals";
import type { Trend } from "../data/change.ts";

export interface TrendSource {
  /** What is compared with what, in words. */
  against: ReadonlySignal<string>;
  known: ReadonlySignal<ReadonlyMap<string, Trend>>;
  /** Functions whose rows are in view. */
  want: (names: readonly string[]) => void;
  /** Shows one function's trend at large. */
  open: (name: string) => void;
}

export const trendSource = signal<TrendSource | undefined>(undefined);
