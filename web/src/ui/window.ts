// SPDX-License-Identifier: MIT
//
// Long tables: only the rows in view are in the document.

import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
} from "@tanstack/virtual-core";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

export type RowVirtualizer = Virtualizer<HTMLDivElement, Element>;

export const TABLE_ROW = 24;

/** `row`: the height of each, in pixels. */
export function useWindow(count: number, row = TABLE_ROW) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useRef<RowVirtualizer | null>(null);
  const version = useSignal(0);
  if (!virtualizer.current)
    virtualizer.current = new Virtualizer<HTMLDivElement, Element>({
      count,
      getScrollElement: () => scroller.current,
      estimateSize: () => row,
      overscan: 12,
      observeElementRect,
      observeElementOffset,
      scrollToFn: elementScroll,
      scrollPaddingEnd: row + 4, // as high as the head of the table, which the rows begin below
      onChange: () => version.value++,
    });
  const v = virtualizer.current;
  v.setOptions({ ...v.options, count });
  useEffect(() => v._didMount(), []);
  useEffect(() => v._willUpdate());
  version.value;
  const items = v.getVirtualItems();
  return {
    scroller,
    virtualizer: v,
    items,
    before: items.length ? items[0].start : 0,
    after: items.length ? v.getTotalSize() - items[items.length - 1].end : 0,
  };
}
