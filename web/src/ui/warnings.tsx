// SPDX-License-Identifier: MIT
//
// The lines that pprof's pages have at their top: what is worth a word about what was asked for.

import { dismissWarnings, warnings } from "../data/warnings.ts";

/** Always in the document, so that what comes into it is read out. */
export function Warnings() {
  const lines = warnings.value;
  return (
    <div class="warnings" role="status" aria-label="Warnings">
      {lines.length > 0 && (
        <>
          <ul>
            {lines.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
          <button
            type="button"
            class="icon"
            aria-label="Dismiss the warnings"
            onClick={dismissWarnings}
          >
            ×
          </button>
        </>
      )}
    </div>
  );
}
