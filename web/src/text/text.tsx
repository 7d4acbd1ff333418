// SPDX-License-Identifier: MIT
//
// Reports as the command line prints them: peek (callers and callees) and disasm.

import { useForm } from "../data/form.ts";
import type { Profile } from "../data/profile.ts";
import { formUrl } from "../data/source.ts";
import { OptionSwitch } from "../graph/settings.tsx";
import { route, source } from "../state.ts";
import { subjectOf, type Subject } from "../source/subject.ts";
import { NoticeWithin } from "../ui/notice.tsx";

function readText(answer: Response): Promise<string> {
  return answer.text();
}

/** Their names have the address before the function's, or the place behind it. */
function expressionOf({ name, re }: Subject): string {
  return name ? `(^|\\s)${re.slice(1, -1)}(\\s|$)` : re;
}

export function TextView(props: { p: Profile; report: "peek" | "disasm" }) {
  const { p, report } = props;
  const subject = subjectOf(p);
  const from = source.value;
  const url = from
    ? formUrl(from, route.value, "text", [
        ["report", report],
        ["re", expressionOf(subject)],
      ])
    : "";
  const { value: text, failure, busy } = useForm(url, readText);
  const title = subject.name || `what matches ${subject.re}`;
  return (
    <main class="view text-view" aria-busy={busy}>
      <div class="view-settings">
        <span class="source-name" title={title}>
          {title}
        </span>
        {report === "disasm" && <OptionSwitch name="intel" label="Intel's syntax" />}
        <span class="view-facts muted">
          as <code>strobe pprof -{report}</code> prints it
        </span>
      </div>
      {failure ? (
        <NoticeWithin title="There is nothing to show.">
          <p>{failure}</p>
        </NoticeWithin>
      ) : (
        <pre class="report" tabIndex={0} aria-label={`${report} of ${title}`}>
          {text}
        </pre>
      )}
    </main>
  );
}
