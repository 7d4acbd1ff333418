// SPDX-License-Identifier: MIT
//
// Where sources are looked for, if not where the command line said: the reader's own folders, kept
// by the browser. And what is said when a file is not there.

import { computed, signal } from "@preact/signals";
import { isSaved } from "../saved/open.ts";
import type { SourceData } from "./data.ts";

interface Paths {
  source: string; // -source_path
  trim: string; // -trim_path
}

const KEY = "strobe.sources";

function read(): Paths {
  try {
    const { source, trim } = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Paths>;
    return { source: source ?? "", trim: trim ?? "" };
  } catch {
    return { source: "", trim: "" };
  }
}

const paths = signal<Paths>(read());

export const pathParams = computed<[string, string][]>(() => {
  const { source, trim } = paths.value;
  return [
    ...(source ? [["source_path", source] as [string, string]] : []),
    ...(trim ? [["trim_path", trim] as [string, string]] : []),
  ];
});

function put(next: Paths): void {
  paths.value = next;
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    /* it holds for this page alone */
  }
}

function Errors(props: { list: readonly string[] }) {
  return (
    <p>
      {props.list.slice(0, 3).map((e) => (
        <span key={e} class="source-error">
          {e}
        </span>
      ))}
    </p>
  );
}

/** Why sources are missing, and two fields that may mend it. */
export function Missing(props: { data: SourceData }) {
  const { data } = props;
  const errors = [...new Set(data.functions.flatMap((f) => (f.error ? [f.error] : [])))];
  if (errors.length === 0) return null;
  const { source, trim } = paths.value;
  if (isSaved())
    return (
      <div class="source-missing">
        <Errors list={errors} />
      </div>
    );
  return (
    <form
      class="source-missing"
      aria-label="Where the sources are"
      onSubmit={(e) => {
        e.preventDefault();
        const field = (name: string): string =>
          (e.currentTarget.elements.namedItem(name) as HTMLInputElement).value.trim();
        put({ source: field("source"), trim: field("trim") });
      }}
    >
      <Errors list={errors} />
      <p class="muted">
        Say where the sources are: a folder here, or <code>-source_path=FOLDER</code> on the command
        line. What stands before that in the file's name is cut off with{" "}
        <code>-trim_path=PREFIX</code>.
      </p>
      <label>
        folder <input name="source" value={source} placeholder={data.source_path} />
      </label>
      <label>
        cut off <input name="trim" value={trim} placeholder="/build/project" />
      </label>
      <button type="submit" class="plain">
        Look there
      </button>
    </form>
  );
}
