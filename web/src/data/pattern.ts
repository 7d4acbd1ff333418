// SPDX-License-Identifier: MIT
//
// Regular expressions of Go's syntax that mean one function, module, file or label value, and the
// way back, so that a pill can show the plain name.

import { frameModuleName, functionNameOf, frameName, type Profile } from "./profile.ts";
import type { Refinement } from "../route.ts";

const SPECIAL = /[\\.+*?()|[\]{}^$]/g;

export function quotePattern(text: string): string {
  return text.replace(SPECIAL, "\\$&");
}

function unquote(pattern: string): string | undefined {
  if (/(^|[^\\])(\\\\)*[.+*?()|[\]{}^$]/.test(pattern)) return undefined;
  return pattern.replaceAll("\\x2c", ",").replace(/\\([^\w])/g, "$1");
}

/** The whole name and nothing else. */
export function exactly(text: string): string {
  return `^${quotePattern(text)}$`;
}

/** A file's name at the end of a path. */
export function fileNamed(text: string): string {
  return `(^|/)${quotePattern(text)}$`;
}

/** What finds a frame: its function's name, or its binary where it has none; "" if nothing does. */
export function framePattern(p: Profile, frame: number): string {
  if (frame < 0) return "";
  const name = frameName(p, frame);
  if (name === "<unknown>") return "";
  const module = frameModuleName(p, frame);
  return name === `[${module}]` ? fileNamed(module) : exactly(name);
}

export function functionPattern(p: Profile, fn: number): string {
  const frame = p.functionFrame[fn];
  return frame < 0 ? exactly(functionNameOf(p, fn)) : framePattern(p, frame);
}

export function labelPattern(key: string, value: string): string {
  return `${key}=${exactly(value).replaceAll(",", "\\x2c")}`;
}

/** A refinement as a pill says it: the plain name where the expression is one. */
export function spellRefinement({ kind, value }: Refinement): { kind: string; value: string } {
  const names = { f: "focus", i: "ignore", h: "hide", s: "show", sf: "show from" };
  if (kind === "tf" || kind === "ti") {
    const equals = value.indexOf("=");
    const key = equals > 0 ? value.slice(0, equals) : "label";
    return {
      kind: `${key} ${kind === "tf" ? "=" : "≠"}`,
      value: spellPattern(value.slice(equals + 1)),
    };
  }
  return { kind: names[kind], value: spellPattern(value) };
}

function spellPattern(pattern: string): string {
  const inner = /^\^(.*)\$$/s.exec(pattern) ?? /^\(\^\|\/\)(.*)\$$/s.exec(pattern);
  return (inner && unquote(inner[1])) || pattern;
}
