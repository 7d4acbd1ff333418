// SPDX-License-Identifier: MIT
//
// The page's frame: toolbar, refinements, the view, status bar. Decides what stands where the view
// would be when there is nothing to show.

import { useSignalEffect } from "@preact/signals";
import type { Profile } from "./data/profile.ts";
import { boxViews } from "./route.ts";
import { failure, loading, mainGraph, navigate, profile, route } from "./state.ts";
import { Calls } from "./calls/calls.tsx";
import { Flame } from "./flame/flame.tsx";
import { CallGraphView } from "./graph/graph.tsx";
import { Minimap } from "./flame/minimap.tsx";
import { SourceView } from "./source/source.tsx";
import { TextView } from "./text/text.tsx";
import { TopTable } from "./top/top.tsx";
import { TreeTable } from "./tree/tree.tsx";
import { Help } from "./ui/help.tsx";
import { MenuLayer } from "./ui/menu.tsx";
import { Notice } from "./ui/notice.tsx";
import { Pills } from "./ui/pills.tsx";
import { QuestionDialog } from "./ui/question.tsx";
import { StatusBar } from "./ui/status.tsx";
import { Toolbar } from "./ui/toolbar.tsx";
import { useKeyboard } from "./ui/keyboard.ts";

export function View() {
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
        {p.facts.sample_types.some((t) => t.type === "cpu") ? (
          <>
            <p>
              The program used no CPU time while it was recorded, or ended before the first sample.
              Record it for longer, or more often:
            </p>
            <pre>strobe record -F 1000 -- PROGRAM…</pre>
          </>
        ) : (
          <p>Nothing of this kind happened in its time, or it was too little to be sampled.</p>
        )}
      </Notice>
    );
  if (p.facts.left === 0 && route.value.refine.length > 0)
    return (
      <Notice title="The refinements leave nothing.">
        <p>No sample fits all of the pills above; take one away, or</p>
        <p>
          <button type="button" class="plain" onClick={() => navigate({ refine: [] }, "push")}>
            take all away
          </button>
        </p>
      </Notice>
    );
  if (p.facts.left === 0)
    return (
      <Notice title={`All samples of ${p.sampleType.type} are zero.`}>
        <p>
          {p.facts.sample_types.length > 1
            ? "Another sample type, at the top left, may have something to show."
            : "There is nothing to draw; strobe raw prints the samples as they are."}
        </p>
      </Notice>
    );
  if (p.tree.count === 1 && p.facts.lineless > 0 && boxViews.includes(route.value.view))
    return (
      <Notice title="No frame of this profile has a name.">
        <p>
          The programs were not found on this machine, or have no symbols. Top and Graph show what
          is known of their addresses; with the program itself, their names can be read:
        </p>
        <pre>strobe web PROGRAM PROFILE</pre>
      </Notice>
    );
  return <ProfileView p={p} />;
}

function ProfileView(props: { p: Profile }) {
  const { p } = props;
  const g = mainGraph.value;
  const { view } = route.value;
  if (view === "top") return <TopTable p={p} />;
  if (view === "calls") return <Calls p={p} />;
  if (view === "graph") return <CallGraphView p={p} />;
  if (view === "source") return <SourceView p={p} />;
  if (view === "peek" || view === "disasm") return <TextView p={p} report={view} />;
  if (!g) return null;
  if (view === "tree") return <TreeTable g={g} />;
  return (
    <main class="view flame">
      <Minimap g={g} />
      <Flame g={g} name="Flame graph" id="flame-twin" />
    </main>
  );
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
      <MenuLayer />
      <Help />
      <QuestionDialog />
    </>
  );
}
