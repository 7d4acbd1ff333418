// SPDX-License-Identifier: MIT
//
// The page's frame: toolbar, refinements, the view, status bar. Decides what stands where the view
// would be when there is nothing to show.

import { useSignalEffect } from "@preact/signals";
import { failure, loading, profile, route } from "./state.ts";
import { Flame } from "./flame/flame.tsx";
import { TopTable } from "./top/top.tsx";
import { Help } from "./ui/help.tsx";
import { Notice } from "./ui/notice.tsx";
import { Pills } from "./ui/pills.tsx";
import { StatusBar } from "./ui/status.tsx";
import { Toolbar } from "./ui/toolbar.tsx";
import { useKeyboard } from "./ui/keyboard.ts";

function View() {
  const p = profile.value;
  if (failure.value)
    return (
      <Notice title="The profile could not be loaded.">
        <p>{failure.value}</p>
      </Notice>
    );
  if (!p) return <main class="view" aria-busy={loading.value} aria-label="Loading" />;
  if (p.facts.sample_count === 0)
    return (
      <Notice title="This profile has no samples.">
        <p>
          The program used no CPU time while it was recorded, or ended before the first sample.
          Record it for longer, or more often:
        </p>
        <pre>strobe record -F 1000 -- PROGRAM…</pre>
      </Notice>
    );
  if (p.tree.width[0] === 0)
    return (
      <Notice title={`All samples of ${p.sampleType.type} are zero.`}>
        <p>
          {p.facts.sample_types.length > 1
            ? "Another sample type, at the top left, may have something to show."
            : "There is nothing to draw; strobe raw prints the samples as they are."}
        </p>
      </Notice>
    );
  return route.value.view === "top" ? <TopTable p={p} /> : <Flame p={p} />;
}

export function App() {
  useKeyboard();
  useSignalEffect(() => {
    const title = profile.value?.facts.title;
    document.title = title ? `${title} · strobe` : "strobe";
  });
  return (
    <>
      <Toolbar />
      <Pills />
      <View />
      <StatusBar />
      <Help />
    </>
  );
}
