// SPDX-License-Identifier: MIT
//
// What is scraped, and how that goes.

import { Notice } from "../ui/notice.tsx";
import type { Target } from "./api.ts";
import { targets } from "./live.ts";
import { clock, spellLength } from "./times.ts";

function at(ms: number | null): string {
  return ms === null ? "–" : clock(ms);
}

const EXAMPLE = `cat >strobe.yaml <<END
scrape_configs:
- job_name: api
  static_configs: [{targets: ["localhost:6060"]}]
END
strobe serve -c strobe.yaml`;

const HEADS = ["Application", "Target", "State", "Kinds", "Last", "Next", "Errors"];

/** "17 profiles" of a kind that goes well, else how it stands. */
function kindState(k: Target["kinds"][0]): string {
  if (k.state === "ok") return String(k.stored);
  return k.state === "waiting" ? "with the next scrape" : k.state;
}

function Errors(props: { t: Target }) {
  const { t } = props;
  const failed = t.kinds.filter((k) => k.error);
  return (
    <td class="error" data-head="Errors">
      {t.error && <p>{`${at(t.error_ms)} ${t.error}`}</p>}
      {failed
        .filter((k) => !t.error.includes(k.error))
        .map((k) => (
          <p key={k.kind}>{`${k.kind}: ${k.error}`}</p>
        ))}
    </td>
  );
}

export function Targets() {
  const list = targets.value;
  if (!list) return <main class="view" aria-busy="true" aria-label="Loading" />;
  if (list.length === 0)
    return (
      <Notice title="No program is scraped.">
        <p>
          Name the <code>/debug/pprof</code> of Go programs in a file, and start the server with it:
        </p>
        <pre>{EXAMPLE}</pre>
      </Notice>
    );
  return (
    <main class="view lists">
      <table class="targets">
        <caption class="for-readers">Programs that are scraped</caption>
        <thead>
          <tr>
            {HEADS.map((h) => (
              <th key={h} scope="col">
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {list.map((t) => (
            <tr key={`${t.job} ${t.url}`}>
              <th scope="row">{t.service_name}</th>
              <td data-head="Target" title={t.url}>
                {t.instance}
              </td>
              <td data-head="State" class={`state-${t.state}`}>
                {t.state}
              </td>
              <td data-head="Kinds">
                <ul class="kind-list">
                  {t.kinds.map((k) => (
                    <li key={k.kind} class={k.state === "failed" ? "error" : ""}>
                      {k.kind} <span class="muted">{kindState(k)}</span>
                    </li>
                  ))}
                </ul>
              </td>
              <td data-head="Last" class="number">
                {at(t.last_ms)}
              </td>
              <td data-head="Next" class="number" title={`every ${spellLength(t.interval_ms)}`}>
                {at(t.next_ms)}
              </td>
              <Errors t={t} />
            </tr>
          ))}
        </tbody>
      </table>
    </main>
  );
}
