// SPDX-License-Identifier: MIT
//
// Label matchers of a query, `env="prod",zone=~"a|b"`, as pills need them: a list, and back. Pure.

export type Op = "=" | "!=" | "=~" | "!~";

export interface Match {
  name: string;
  op: Op;
  value: string;
}

const ONE = /\s*([\p{L}_][\p{L}\p{N}_.-]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)/uy;

/** What cannot be read, and all after it, is left out: it came from an address someone typed. */
export function parseMatches(text: string): Match[] {
  const list: Match[] = [];
  ONE.lastIndex = 0;
  for (let m = ONE.exec(text); m; m = ONE.exec(text))
    list.push({ name: m[1], op: m[2] as Op, value: m[3].replace(/\\(.)/g, "$1") });
  return list;
}

function quote(value: string): string {
  return `"${value.replace(/[\\"]/g, "\\$&")}"`;
}

export function formatMatches(list: readonly Match[]): string {
  return list.map((m) => m.name + m.op + quote(m.value)).join(",");
}

/** Whether labels match, as the server decides it; a label that is not there is "". */
export function fits(labels: Record<string, string>, list: readonly Match[]): boolean {
  return list.every(({ name, op, value }) => {
    const is = labels[name] ?? "";
    if (op === "=") return is === value;
    if (op === "!=") return is !== value;
    try {
      return new RegExp(`^(?:${value})$`, "u").test(is) === (op === "=~");
    } catch {
      return true; /* the server says what is wrong with the expression */
    }
  });
}

/** A query of the API: cpu{service_name="api"}, heap/alloc_space{…}. */
export function makeQuery(
  kind: string,
  type: string,
  app: string,
  list: readonly Match[] = [],
): string {
  const all: Match[] = [{ name: "service_name", op: "=", value: app }, ...list];
  return `${kind}${type ? `/${type}` : ""}{${formatMatches(all)}}`;
}
