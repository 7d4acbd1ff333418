// SPDX-License-Identifier: MIT
//
// Where profiles come from: the address of what the route asks for, and a few of the last answers,
// so that Back, and a pill that is put on again, cost nothing.

import { readBody } from "./columns.ts";
import { request } from "./request.ts";
import { makeProfile, type Merged, type Profile } from "./profile.ts";
import { optionNames, type OptionName, type Route } from "../route.ts";

export type Walk = "root" | "leaf" | "callers" | "callees";

type Params = readonly (readonly [string, string])[];

/** What is asked of a profile besides its tree. */
export type Form = "graph" | "source" | "text";

/** What a page adds to the parameters of every profile it asks for. */
export interface Source {
  path: string;
  params: Params;
  /** Where the same profile is had in another form. */
  form: (form: Form) => { path: string; params: Params };
}

/** A merged profile of the dashboard's store. */
export function storedSource(params: Params): Source {
  const path = "/api/v1/profile";
  return {
    path,
    params: [...params, ["format", "columns"]],
    form: (form) => ({ path, params: [...params, ["format", form]] }),
  };
}

/** Options that change how a report is written, and not what is in the tree. */
const ofReports: ReadonlySet<OptionName> = new Set([
  "n",
  "nf",
  "ef",
  "trim",
  "calltree",
  "unit",
  "compact",
  "intel",
]);

/** Whether the server has to say what is wrong with it, though no view needs it. */
function isMalformed(name: OptionName, value: string): boolean {
  if (name === "unit") return false;
  if (name === "n") return !/^-?\d{1,15}$/.test(value);
  if (name === "nf" || name === "ef") return !/^-?\d+(\.\d+)?$/.test(value);
  return !/^([tfyn10]|true|false|yes|no)$/i.test(value);
}

function commonParams(params: Params, r: Route, all: boolean): URLSearchParams {
  const q = new URLSearchParams();
  for (const [name, value] of params) q.append(name, value);
  if (r.sampleType) q.set("si", r.sampleType);
  for (const { kind, value } of r.refine) q.append(kind, value);
  for (const name of optionNames) {
    const value = r.options[name];
    if (value && (all || !ofReports.has(name) || isMalformed(name, value))) q.set(name, value);
  }
  return q;
}

/** The address of a form of the profile that the route asks for. */
export function formUrl(source: Source, r: Route, form: Form, more: Params = []): string {
  const { path, params } = source.form(form);
  const q = commonParams(params, r, true);
  for (const [name, value] of more) q.set(name, value);
  const text = q.toString();
  return text ? `${path}?${text}` : path;
}

export function profileUrl(source: Source, r: Route, walk: Walk): string {
  const q = commonParams(source.params, r, false);
  if (walk !== "root") q.set("walk", walk);
  if (walk === "callers" || walk === "callees") q.set("fn", r.pivot);
  const text = q.toString();
  return text ? `${source.path}?${text}` : source.path;
}

const KEPT_NODES = 3_000_000;
const kept = new Map<string, Profile>();

function keep(url: string, p: Profile): void {
  kept.set(url, p);
  let nodes = 0;
  for (const one of kept.values()) nodes += one.tree.count;
  for (const [oldest, one] of kept) {
    if (nodes <= KEPT_NODES || oldest === url) break;
    kept.delete(oldest);
    nodes -= one.tree.count;
  }
}

export function keptProfile(url: string): Profile | undefined {
  const p = kept.get(url);
  if (p) {
    kept.delete(url);
    kept.set(url, p); /* the newest is the last */
  }
  return p;
}

export function forgetProfiles(): void {
  kept.clear();
}

/** What the dashboard's server says of a merged range; a profile from a file has none of it. */
function readMerged(headers: Headers): Merged | undefined {
  if (!headers.has("X-Strobe-Profiles")) return undefined;
  const number = (name: string): number => Number(headers.get(`X-Strobe-${name}`) ?? 0);
  return {
    profiles: number("Profiles"),
    series: number("Series"),
    duration_ms: number("Duration-Ms"),
    lost: number("Lost"),
    rounded: number("Rounded") !== 0,
    damaged: number("Damaged"),
    program: headers.get("X-Strobe-Program") ?? "",
    build: headers.get("X-Strobe-Build") ?? "",
    before: number("Base-Profiles"),
  };
}

/** Throws an Error with a sentence for the reader. */
export async function fetchProfile(url: string): Promise<Profile> {
  const answer = await request(url);
  const p = makeProfile(readBody(await answer.arrayBuffer()));
  p.merged = readMerged(answer.headers);
  keep(url, p);
  return p;
}
