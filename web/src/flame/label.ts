// SPDX-License-Identifier: MIT
//
// Names that fit into boxes. What tells functions apart is mostly at the end of a C++ or Go name,
// so arguments go first, then namespaces and paths from the left, and only then the middle.

const OPERATOR = /\boperator\s*(\(\)|\[\]|<=>|<<=?|>>=?|->\*?|<=?|>=?)/y;

/** "f<…>(…)" → "f": removes balanced <> and () with contents, but not operator< and its kin. */
function withoutArguments(name: string): string {
  let out = "";
  let depth = 0;
  for (let i = 0; i < name.length; i++) {
    const c = name[i];
    OPERATOR.lastIndex = i;
    const operator = depth === 0 && c === "o" ? OPERATOR.exec(name) : null;
    if (operator) {
      out += operator[0];
      i += operator[0].length - 1;
    } else if (c === "<" || (c === "(" && name[i + 1] !== "*" && !name.startsWith("(anon", i))) {
      depth++;
    } else if (depth > 0 && (c === ">" || c === ")")) {
      if (!(c === ">" && name[i - 1] === "-")) depth--;
    } else if (depth === 0) {
      out += c;
    }
  }
  const text = out.replace(/ const$/, "").trim();
  return depth === 0 && text ? text : name;
}

/** What compilers add to the name of a copy: "f.constprop.0", "f.isra.0.cold". */
const COPY = /(\.(constprop|isra|part|cold|lto_priv|llvm|clone)(\.\d+)*)+$/;

/** Ever shorter forms of a name, the whole one first. */
function* forms(name: string): Generator<string> {
  yield name;
  const unnamed = /!(0x[0-9a-f]+)$/.exec(name);
  if (unnamed) {
    yield unnamed[1]; /* the colour says which module */
    return;
  }
  let short = withoutArguments(name);
  yield short;
  const slash = short.lastIndexOf("/");
  if (slash >= 0 && !short.startsWith("/")) yield (short = short.slice(slash + 1));
  yield (short = short.replace(/\[\.\.\.\]/g, "").replace(COPY, "") || short);
  let colons: number;
  while ((colons = short.indexOf("::")) > 0 && colons + 2 < short.length)
    yield (short = short.slice(colons + 2));
  const dotted = /^[\w-]+\.(?!func\d|\d)(.+)$/;
  for (let rest = dotted.exec(short); rest; rest = dotted.exec(short)) yield (short = rest[1]);
  const method = /^\(\*?\w+\)\.(?!func\d)(\w.*)$/.exec(short);
  if (method) yield method[1];
}

/** The name in at most `chars` characters; "" if not even a hint of it fits. */
export function fitLabel(name: string, chars: number): string {
  if (chars < 3) return name.length <= chars ? name : "";
  let last = name;
  for (last of forms(name)) if (last.length <= chars) return last;
  const tail = chars < 9 ? 0 : Math.floor((chars - 1) / 2);
  return `${last.slice(0, chars - 1 - tail)}…${last.slice(last.length - tail)}`;
}

/** Where a name's path or namespace ends: 2 in "a/f", 4 in "ns::f<x::y>", 0 in "f". */
export function scopeEnd(name: string): number {
  const arguments_ = name.search(/[<(]/);
  const head = arguments_ < 0 ? name : name.slice(0, arguments_);
  const colons = head.lastIndexOf("::");
  return Math.max(head.lastIndexOf("/") + 1, colons < 0 ? 0 : colons + 2);
}
