// SPDX-License-Identifier: MIT
//
// Stands where the server would: answers a saved page's questions from what was saved with it. The
// tree, the table, filters and the source's costs are counted here, from the profile; call graph
// and peek were made when the page was saved, of the whole profile, and are refused where filters
// would change them: never a number that is not that of `strobe top`.

import { formatPercent } from "../data/format.ts";
import { isOn, optionNames } from "../route.ts";
import { makeBody, totalOf } from "./body.ts";
import { functionCosts, makeFrames, type Walk } from "./flame.ts";
import type { Stored } from "./proto.ts";
import {
  compile,
  labelAtRoot,
  refineByLabel,
  refineByName,
  refineShowFrom,
  Refusal,
} from "./refine.ts";
import { aggregate, isByRows, isGranularity, type Granularity } from "./rows.ts";
import { listSource, type SavedSource } from "./source.ts";

const FLAME_NODES = 1 << 20;

/** What src/web/saved.c puts beside the profile. */
export interface Extra {
  title: string;
  query: string; // the state that the page opens with
  type: number; // shown if the address names none
  totals: number[]; // by sample type, before the command line's filters
  sample_count: number; // likewise
  relative: boolean;
  given: [string, string][];
  facts: object; // further ones of every profile
  graphs: (object | null)[]; // by sample type
  peek: (string | null)[];
  disasm: (string | null)[]; // of the functions that cost most by themselves
  source: SavedSource;
}

const kinds = ["f", "i", "h", "s", "sf", "tf", "ti"];

const reading = "open the profile with strobe web for that";

function findType(p: Stored, name: string, fallback: number): number {
  if (!name) return fallback;
  if (/^\d+$/.test(name)) {
    const n = Number(name);
    if (n < p.sampleTypes.length) return n;
    const last = p.sampleTypes.length - 1;
    throw new Refusal(`sample_index ${name} is outside the range [0..${last}]`);
  }
  const short = name.replace(/^inuse_/, "");
  const at = p.sampleTypes.findIndex(({ type }) => type === name || type === short);
  if (at >= 0) return at;
  const all = p.sampleTypes.map((t) => t.type).join(" ");
  throw new Refusal(`sample_index ${JSON.stringify(name)} must be one of: [${all}]`);
}

/** Options that change numbers, and are not for the page alone. */
function refuseOptions(q: URLSearchParams, allowed: readonly string[]): void {
  for (const name of optionNames)
    if (q.get(name) && !allowed.includes(name))
      throw new Refusal(`A saved page cannot change the setting ${name}: ${reading}.`);
}

interface Asked {
  p: Stored; // refined
  type: number;
  total: number;
}

function truth(text: string | null): boolean | undefined {
  return text ? isOn(text) : undefined;
}

function refine(p: Stored, extra: Extra, q: URLSearchParams, say: (line: string) => void): Asked {
  const type = findType(p, q.get("si") ?? "", extra.type);
  const root = q.get("tagroot");
  if (root?.includes(",")) throw new Refusal(`A saved page groups by one label: ${reading}.`);
  const left = filter(root ? labelAtRoot(p, root, say) : p, q, say);
  const relative = truth(q.get("rel")) ?? extra.relative;
  return { p: left, type, total: relative ? totalOf(left.samples, type) : extra.totals[type] };
}

/** In the order of report/prepare.c. Of several filters of a kind only the first may warn. */
function filter(p: Stored, q: URLSearchParams, say: (line: string) => void): Stored {
  const all = (kind: string, name: string): RegExp[] =>
    q.getAll(kind).flatMap((v) => (v ? [compile(v, name)] : []));
  const silent = (): void => undefined;
  const [focus, ...focuses] = all("f", "focus");
  const [ignore, ...ignores] = all("i", "ignore");
  const [hide, ...hides] = all("h", "hide");
  const [show, ...shows] = all("s", "show");
  for (const one of focuses) p = refineByName(p, { focus: one }, silent);
  for (const one of ignores) p = refineByName(p, { ignore: one }, silent);
  p = refineByName(p, { focus, ignore, hide, show }, say);
  for (const one of hides) p = refineByName(p, { hide: one }, silent);
  for (const one of shows) p = refineByName(p, { show: one }, silent);
  all("sf", "show_from").forEach((one, i) => (p = refineShowFrom(p, one, i ? silent : say)));
  const labels = (kind: string): string[] => q.getAll(kind).filter((v) => v !== "");
  const [tagfocus = "", ...tagfocuses] = labels("tf");
  const [tagignore = "", ...tagignores] = labels("ti");
  p = refineByLabel(p, tagfocus, tagignore, say);
  for (const one of tagfocuses) p = refineByLabel(p, one, "", silent);
  for (const one of tagignores) p = refineByLabel(p, "", one, silent);
  return p;
}

/** What the address says, else the command line. */
function granularityOf(extra: Extra, q: URLSearchParams): Granularity {
  const text = (name: string): string =>
    q.get(name) || (extra.given.find(([given]) => given === name)?.[1] ?? "");
  const name = text("g");
  if (!isGranularity(name))
    throw new Refusal(
      `error setting config field granularity: invalid "granularity" value ${JSON.stringify(name)}`,
    );
  return { name, noinlines: isOn(text("noinlines")), columns: isOn(text("showcolumns")) };
}

/** What rows of lines cost by themselves, by their names: the rows of peek. */
function flatOfLines(p: Stored, extra: Extra, q: URLSearchParams, type: number) {
  const g = { ...granularityOf(extra, q), name: "lines" };
  const frames = makeFrames(aggregate(p, g), true);
  const { flat } = functionCosts(frames, p.samples, (s) => s.values[type]);
  const sums = new Map<string, number>();
  frames.names.forEach((name, i) => sums.set(name, (sums.get(name) ?? 0) + flat[i]));
  return sums;
}

function profileAnswer(p: Stored, extra: Extra, q: URLSearchParams, say: (l: string) => void) {
  refuseOptions(q, ["rel", "tagroot", "dropneg", "g", "noinlines", "showcolumns"]);
  const asked = refine(p, extra, q, say);
  const g = granularityOf(extra, q);
  const walk = (q.get("walk") ?? "root") as Walk;
  const bytes = makeBody(aggregate(asked.p, g), {
    title: extra.title,
    byRows: isByRows(g.name),
    walk: { walk, fn: q.get("fn") ?? "", type: asked.type, limit: FLAME_NODES },
    total: asked.total,
    sampleCount: extra.sample_count,
    given: extra.given,
    more: extra.facts,
  });
  return new Response(bytes);
}

/** What was made when the page was saved is of the whole profile. */
function refuseFilters(q: URLSearchParams, what: string): void {
  if (kinds.some((k) => q.get(k)) || q.get("tagroot"))
    throw new Refusal(`A saved page has ${what} of the whole profile only: ${reading}.`);
}

function graphAnswer(p: Stored, extra: Extra, q: URLSearchParams): Response {
  refuseFilters(q, "the call graph");
  refuseOptions(q, ["unit", "showcolumns", "compact", "intel"]);
  const graph = extra.graphs[findType(p, q.get("si") ?? "", extra.type)];
  if (!graph) throw new Refusal(`The call graph was not saved: ${reading}.`);
  return Response.json(graph);
}

/** Flat and its share, the sum, cum and its share, the function. */
const ROW = /^( *[^ |\n]+ +[^ |\n]+)( +[^ |\n]+)( +[^ |\n]+ +[^ |\n]+ +\| )([^ \n].*)$/m;
const RULE = "----------------------------------------------------------+-------------";

/** The blocks of peek whose function matches; the third number of each is a running sum. */
function peekBlocks(text: string, re: RegExp, flat: Map<string, number>, total: number): string {
  const [head, columns, ...blocks] = text.split(`${RULE}\n`);
  let sum = 0;
  const kept = blocks.flatMap((block) => {
    const row = ROW.exec(block);
    const named = row?.[4].replace(/ \((partial-)?inline\)$/, "") ?? "";
    if (!row || !re.test(named)) return [];
    sum += flat.get(named) ?? 0;
    const share = ` ${formatPercent(sum, total).padStart(6)}`;
    return [block.replace(row[0], () => row[1] + share + row[3] + row[4])];
  });
  if (kept.length === 0) return "";
  const end = text.endsWith(`${RULE}\n`) ? `${RULE}\n` : "";
  return [head, columns, ...kept].join(`${RULE}\n`) + end;
}

const ROUTINE = "ROUTINE ======================== ";

/** The blocks of functions that match by one of their names. */
function disasmBlocks(text: string, re: RegExp): string {
  const [head, ...blocks] = text.split(new RegExp(`^(?=${ROUTINE})`, "m"));
  const names = (block: string): string[] =>
    block.split("\n").flatMap((line, i) => {
      if (i === 0) return [line.slice(ROUTINE.length)];
      return line.startsWith("    AKA ") ? [line.slice(line.indexOf("= ") + 2)] : [];
    });
  const kept = blocks.filter((block) => names(block).some((name) => re.test(name)));
  return kept.length > 0 ? head + kept.join("") : "";
}

function disasmAnswer(p: Stored, extra: Extra, q: URLSearchParams): Response {
  refuseFilters(q, "the disassembly");
  refuseOptions(q, ["n", "nf", "ef", "trim", "calltree", "g", "compact", "dropneg"]);
  const text = extra.disasm[findType(p, q.get("si") ?? "", extra.type)];
  const re = q.get("re") ?? "";
  const found = text && disasmBlocks(text, compile(re, "argument"));
  if (!found) throw new Refusal(`The code of what matches ${re} was not saved with the page.`);
  return new Response(found);
}

function textAnswer(p: Stored, extra: Extra, q: URLSearchParams): Response {
  const report = q.get("report");
  if (report === "disasm") return disasmAnswer(p, extra, q);
  if (report !== "peek") throw new Refusal(`A saved page has no ${report}: ${reading}.`);
  refuseFilters(q, "peek");
  refuseOptions(q, ["n", "nf", "ef", "trim", "calltree", "g", "compact", "intel", "dropneg"]);
  const type = findType(p, q.get("si") ?? "", extra.type);
  const text = extra.peek[type];
  if (!text) throw new Refusal(`Peek was too large to be saved: ${reading}.`);
  const re = q.get("re") ?? "";
  const total = extra.relative ? totalOf(p.samples, type) : extra.totals[type];
  const found = peekBlocks(text, compile(re, "argument"), flatOfLines(p, extra, q, type), total);
  if (!found) throw new Refusal(`no matches found for regexp: ${re}`);
  return new Response(found);
}

function sourceAnswer(p: Stored, extra: Extra, q: URLSearchParams, say: (l: string) => void) {
  if (q.get("asm") === "1") throw new Refusal(`A saved page has no instructions: ${reading}.`);
  refuseOptions(q, [
    ...["rel", "tagroot", "g", "noinlines", "showcolumns", "dropneg"],
    ...["n", "nf", "ef", "trim", "compact", "intel", "unit"],
  ]);
  const asked = refine(p, extra, q, say);
  const fn = q.get("fn");
  const re = fn ? undefined : compile(q.get("re") ?? "", "argument");
  const { noinlines } = granularityOf(extra, q);
  const lines = aggregate(asked.p, { name: "addresses", noinlines, columns: true });
  const data = listSource(lines, extra.source, {
    matches: (name) => (re ? re.test(name) : name === fn),
    type: asked.type,
    total: asked.total,
  });
  if (!data) throw new Refusal("no sample has a function that matches and knows its source file");
  return Response.json(data);
}

export function makeAnswerer(p: Stored, extra: Extra): (url: string) => Promise<Response> {
  const routes: Record<string, (q: URLSearchParams, say: (l: string) => void) => Response> = {
    "/api/profile": (q, say) => profileAnswer(p, extra, q, say),
    "/api/graph": (q) => graphAnswer(p, extra, q),
    "/api/text": (q) => textAnswer(p, extra, q),
    "/api/source": (q, say) => sourceAnswer(p, extra, q, say),
  };
  return async (url) => {
    const { pathname, searchParams } = new URL(url, "http://saved");
    const lines: string[] = [];
    const answer = (): Response => {
      const route = routes[pathname];
      try {
        if (route) return route(searchParams, (line) => lines.push(line));
        throw new Refusal(`a saved page has nothing at ${pathname}`);
      } catch (e) {
        if (e instanceof Refusal) return Response.json({ error: e.message }, { status: 400 });
        throw e;
      }
    };
    const given = answer();
    if (lines.length > 0)
      given.headers.set("X-Strobe-Warnings", encodeURIComponent(JSON.stringify(lines)));
    return given;
  };
}
