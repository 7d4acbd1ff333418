// SPDX-License-Identifier: MIT
//
// All keys, in the only dialog there is.

import { useEffect, useRef } from "preact/hooks";
import { helpOpen } from "../state.ts";
import { pageKeys } from "./keyboard.ts";

const keys: [string, string][] = [
  ["← → ↑ ↓", "walk from frame to frame: beside, caller, callee"],
  ["Enter", "zoom to the frame"],
  ["Esc, double click", "one level up"],
  ["0", "back to the root"],
  ["/", "search; Enter and Shift-Enter go through the matches"],
  ["n N", "next and previous match"],
  ["f i h", "focus, ignore, hide what is selected, or else what is searched for"],
  ["c", "callers and callees"],
  ["t", "table, and back to the flame graph"],
  ["r", "tree, and back to the flame graph"],
  ["g", "call graph, and back to the flame graph"],
  ["s", "source, and back to the flame graph; a shows its instructions"],
  ["d", "a difference: of values, or of shares"],
  ["v", "invert: begin at the leaves"],
  ["o", "root at the top or at the bottom"],
  ["right click", "menu of the frame; Shift-F10 by the keyboard"],
  ["y", "copy the function's name"],
  ["Y", "copy the stack"],
  ["Ctrl-wheel", "zoom at the pointer; Shift-wheel pans"],
  ["?", "these keys"],
];

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = helpOpen.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog
      ref={dialog}
      class="help"
      aria-label="Keys"
      onClose={() => (helpOpen.value = false)}
      onClick={(e) => {
        if (e.target === dialog.current) helpOpen.value = false;
      }}
    >
      <dl>
        {[...Object.entries(pageKeys).map(([k, { what }]) => [k, what]), ...keys].map(
          ([key, what]) => (
            <div key={key}>
              <dt>{key}</dt>
              <dd>{what}</dd>
            </div>
          ),
        )}
      </dl>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
