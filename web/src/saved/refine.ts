// SPDX-License-Identifier: MIT
//
// What filters leave of a profile, in a page that was saved: as src/report/prepare.c and
// src/analyze/filter.c decide it, which are pprof's rules. A profile is never changed: what is left
// is another one with the same functions.

import type { Label, Line, Location, Sample, Stored } from "./proto.ts";

/** A sentence for the reader of the page, in the server's words where it has some. */
export class Refusal extends Error {}

/** Go's syntax differs little from the browser's; what the page makes is the same in both. */
export function compile(pattern: string, name: string): RegExp {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const source = flags ? pattern.slice(flags[0].length) : pattern;
  const posix = source.replace(/\\([azAZ])/g, (all, c: string) =>
    c === "A" ? "^" : c === "z" ? "$" : all,
  );
  try {
    return new RegExp(posix, flags?.[1] ?? "");
  } catch {
    throw new Refusal(`parsing ${name} regexp: the browser cannot read ${pattern}`);
  }
}

type Test = (text: string) => boolean;

function testing(re: RegExp): Test {
  const known = new Map<string, boolean>();
  return (text) => {
    let found = known.get(text);
    if (found === undefined) known.set(text, (found = re.test(text)));
    return found;
  };
}

interface Match {
  line: (line: Line) => boolean;
  mapping: (l: Location) => boolean;
  location: (l: Location) => boolean;
}

function matching(p: Stored, re: RegExp): Match {
  const test = testing(re);
  const line = (l: Line): boolean => {
    const f = p.functions[l.fn];
    return f !== undefined && (test(f.name) || test(f.file));
  };
  const mapping = (l: Location): boolean => l.mapping >= 0 && test(p.mappings[l.mapping]);
  return { line, mapping, location: (l) => l.lines.some(line) || mapping(l) };
}

function lastIndex<T>(list: readonly T[], fits: (one: T) => boolean): number {
  let i = list.length - 1;
  while (i >= 0 && !fits(list[i])) i--;
  return i;
}

function keepLines(m: Match, l: Location, wanted: boolean): Location {
  return { ...l, lines: l.lines.filter((line) => line.fn < 0 || m.line(line) === wanted) };
}

export interface Names {
  focus?: RegExp | undefined;
  ignore?: RegExp | undefined;
  hide?: RegExp | undefined;
  show?: RegExp | undefined;
}

/** FilterSamplesByName; `say` gets a line for each filter that matched nothing. */
export function refineByName(p: Stored, by: Names, say: (line: string) => void): Stored {
  const { focus, ignore, hide, show } = by;
  if (!focus && !ignore && !hide && !show) return p;
  const m = (re: RegExp | undefined) => re && matching(p, re);
  const [mFocus, mIgnore, mHide, mShow] = [m(focus), m(ignore), m(hide), m(show)];
  const count = p.locations.length;
  const focused = new Uint8Array(count);
  const ignored = new Uint8Array(count);
  const hidden = new Uint8Array(count);
  const found = { focus: !mFocus, ignore: !mIgnore, hide: !mHide, show: !mShow };
  const locations = p.locations.map((l, i) => {
    if (mIgnore?.location(l)) {
      found.ignore = true;
      ignored[i] = 1;
    } else if (!mFocus || mFocus.location(l)) {
      found.focus = true;
      focused[i] = 1;
    }
    if (mHide?.location(l)) {
      found.hide = true;
      l = mHide.mapping(l) ? { ...l, lines: [] } : keepLines(mHide, l, false);
      if (l.lines.length === 0) hidden[i] = 1;
    }
    if (mShow) {
      if (!mShow.mapping(l)) l = keepLines(mShow, l, true);
      if (l.lines.length === 0) hidden[i] = 1;
      else found.show = true;
    }
    return l;
  });
  if (!found.focus) say("Focus expression matched no samples");
  if (!found.ignore) say("Ignore expression matched no samples");
  if (!found.hide) say("Hide expression matched no samples");
  if (!found.show) say("Show expression matched no samples");
  const samples: Sample[] = [];
  for (const s of p.samples) {
    if (!s.refs.some((r) => focused[r]) || s.refs.some((r) => ignored[r])) continue;
    const refs = s.refs.some((r) => hidden[r]) ? s.refs.filter((r) => !hidden[r]) : s.refs;
    if (refs.length > 0) samples.push(refs === s.refs ? s : { ...s, refs });
  }
  return { ...p, locations, samples };
}

/** ShowFrom: cuts above the root-most frame that matches. */
export function refineShowFrom(p: Stored, re: RegExp, say: (line: string) => void): Stored {
  const m = matching(p, re);
  const anchors = new Uint8Array(p.locations.length);
  const locations = p.locations.map((l, i) => {
    if (m.mapping(l)) anchors[i] = 1;
    else {
      const last = lastIndex(l.lines, m.line);
      if (last < 0) return l;
      anchors[i] = 1;
      return { ...l, lines: l.lines.slice(0, last + 1) };
    }
    return l;
  });
  if (!anchors.includes(1)) say("ShowFrom expression matched no samples");
  const samples: Sample[] = [];
  for (const s of p.samples) {
    const last = lastIndex(s.refs, (r) => anchors[r] === 1);
    if (last >= 0) samples.push({ ...s, refs: s.refs.slice(0, last + 1) });
  }
  return { ...p, locations, samples };
}

/** A filter of labels: [key=]regexp[,regexp…]. Ranges of numbers are the server's. */
function tagTest(value: string, option: string): (labels: readonly Label[]) => boolean {
  const equals = value.indexOf("=");
  const key = equals >= 0 ? value.slice(0, equals) : "";
  const list = value.slice(equals + 1);
  if (/^:?[+-]?\d+[a-z]*:?$|^[+-]?\d+[a-z]*:[+-]?\d+[a-z]*$/i.test(list))
    throw new Refusal(
      "A saved page filters labels by text only: open the profile with strobe web for ranges.",
    );
  const tests = list.split(",").map((re) => testing(compile(re, option)));
  const one = (labels: readonly Label[], test: Test): boolean =>
    labels.some(
      (l) =>
        l.text !== undefined &&
        (key ? l.key === key && test(l.text) : test(`${l.key}:${l.text}`)),
    );
  return key
    ? (labels) => tests.some((test) => one(labels, test))
    : (labels) => tests.every((test) => one(labels, test));
}

/** FilterSamplesByTag; "" is no filter. */
export function refineByLabel(
  p: Stored,
  focus: string,
  ignore: string,
  say: (line: string) => void,
): Stored {
  if (!focus && !ignore) return p;
  const focused = focus ? tagTest(focus, "tagfocus") : undefined;
  const ignored = ignore ? tagTest(ignore, "tagignore") : undefined;
  const found = { focus: !focused, ignore: !ignored };
  const samples = p.samples.filter((s) => {
    const [is, isNot] = [!focused || focused(s.labels), ignored?.(s.labels) ?? false];
    found.focus ||= is;
    found.ignore ||= isNot;
    return is && !isNot;
  });
  if (!found.focus) say("TagFocus expression matched no samples");
  if (!found.ignore) say("TagIgnore expression matched no samples");
  return { ...p, samples };
}

/** The values of a label as the outermost frame of each stack (tagroot.c). */
export function labelAtRoot(p: Stored, key: string, say: (line: string) => void): Stored {
  const functions = [...p.functions];
  const locations = [...p.locations];
  const known = new Map<string, number>();
  const samples = p.samples.map((s): Sample => {
    const values = s.labels.filter((l) => l.key === key);
    if (values.some((l) => l.text === undefined))
      throw new Refusal(
        `The values of ${key} are numbers: a saved page groups by texts only. Use strobe web.`,
      );
    const name = values.map((l) => l.text).join(",");
    let at = known.get(name);
    if (at === undefined) {
      at = locations.length;
      known.set(name, at);
      const line = { fn: functions.length, line: 0, column: 0 };
      locations.push({ address: "", mapping: -1, lines: [line] });
      functions.push({ name, file: key, start: 0 });
    }
    return { ...s, refs: [...s.refs, at] };
  });
  if (known.size === 0 || (known.size === 1 && known.has("")))
    say("TagRoot expression matched no samples");
  return { ...p, functions, locations, samples };
}
