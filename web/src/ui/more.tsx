// SPDX-License-Identifier: MIT
//
// The menu of what is seldom wanted: the plain reports, pprof's Refine, groups by label, settings
// that were saved under a name (pprof's Config, in pprof's file), and the profile itself.

import { request } from "../data/request.ts";
import type { Profile } from "../data/profile.ts";
import { routeFromQuery, routeToParams, type View } from "../route.ts";
import { isSaved, savedProfileUrl } from "../saved/open.ts";
import { navigate, profile, route, source } from "../state.ts";
import { openMenuBelow, type MenuItem } from "./menu.tsx";
import { ask } from "./question.tsx";
import { refineItems } from "./refine_menu.ts";

interface Config {
  name: string;
  query: string;
  current: boolean;
  user: boolean; // not pprof's defaults
}

/** Settings are kept by `strobe web`; the dashboard has none. */
function hasConfigs(): boolean {
  return source.peek()?.path === "/api/profile" && !isSaved();
}

async function configs(): Promise<Config[]> {
  if (!hasConfigs()) return [];
  const answer = await request(`/api/configs?${routeToParams(route.peek()).toString()}`);
  return (await answer.json()) as Config[];
}

/** Resolves to "", or to what went wrong. */
async function post(what: "saveconfig" | "deleteconfig", name: string): Promise<string> {
  const q = routeToParams(route.peek());
  q.set("config", name);
  try {
    const answer = await fetch(`/ui/${what}?${q.toString()}`, { method: "POST" });
    return answer.ok ? "" : (await answer.text()).trim();
  } catch {
    return "strobe no longer answers: is it still running?";
  }
}

function saveAs(list: readonly Config[]): void {
  const known = list.filter((c) => c.user).map((c) => c.name);
  ask({
    title: "Save these settings as",
    field: { label: "Name of the settings", known },
    confirm: "Save",
    act: (name) => post("saveconfig", name),
  });
}

function remove(name: string): void {
  ask({ title: `Delete ${name}?`, confirm: "Delete", act: () => post("deleteconfig", name) });
}

/** pprof's menu Config. */
function configItems(list: readonly Config[]): MenuItem[] {
  if (!hasConfigs()) return [];
  const apply = list.map((c) => ({
    label: `${c.current ? "✓ " : ""}Settings: ${c.name}`,
    act: () => {
      const { refine, options, sampleType, sort } = routeFromQuery(c.query);
      navigate({ refine, options, sampleType, sort, zoom: "", at: "" }, "push");
    },
  }));
  const deletes = list
    .filter((c) => c.user)
    .map(({ name }) => ({ label: `Delete settings ${name}…`, act: () => remove(name) }));
  const save = { label: "Save these settings as…", section: "Config", act: () => saveAs(list) };
  return [save, ...apply, ...deletes];
}

/** What the profile says of where its kind is explained; pprof's Help. */
function helpItems(p: Profile): MenuItem[] {
  const url = p.facts.doc_url;
  if (!url) return [];
  const act = (): void => void window.open(url, "_blank", "noopener,noreferrer");
  return [{ label: "Documentation of the profile", section: "Help", act }];
}

/** The profile, and the page itself with what it shows. */
function saveItems(): MenuItem[] {
  const section = "Save";
  const label = "Download the profile";
  if (isSaved()) return [{ label, section, act: downloadSaved }];
  if (!hasConfigs()) return [];
  return [
    { label, section, act: () => location.assign("/ui/download") },
    {
      label: "Save this page as one file",
      act: () => location.assign(`/ui/export?${routeToParams(route.peek()).toString()}`),
    },
  ];
}

function downloadSaved(): void {
  const link = document.createElement("a");
  link.href = savedProfileUrl();
  link.download = "profile.pb.gz";
  link.click();
}

/** A label becomes the outermost frame of every stack; once more takes it away. */
function groupItems(p: Profile): MenuItem[] {
  const { tagroot, ...rest } = route.peek().options;
  return p.facts.labels.map(({ key }, i) => ({
    ...(i === 0 ? { section: "Labels" } : {}),
    label: tagroot === key ? `✓ Grouped by ${key}` : `Group by ${key}`,
    act: () => {
      const options = tagroot === key ? rest : { ...rest, tagroot: key };
      navigate({ options, zoom: "", at: "" }, "push");
    },
  }));
}

function viewItem(view: View, label: string): MenuItem {
  return { label, act: () => navigate({ view }, "push") };
}

export function More() {
  async function open(button: HTMLElement): Promise<void> {
    const p = profile.peek();
    const items: MenuItem[] = [viewItem("peek", "Peek"), viewItem("disasm", "Disassembly")];
    if (p) items.push(...refineItems(p), ...groupItems(p));
    items.push(...configItems(await configs().catch(() => [])));
    items.push(...saveItems(), ...(p ? helpItems(p) : []));
    openMenuBelow({ title: "View", items }, button);
  }
  return (
    <button
      type="button"
      class="icon"
      title="More views, groups, saved settings"
      aria-label="More"
      aria-haspopup="menu"
      onClick={(e) => void open(e.currentTarget)}
    >
      ⋯
    </button>
  );
}
