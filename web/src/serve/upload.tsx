// SPDX-License-Identifier: MIT
//
// Profiles that are dropped on the page, or chosen: whose they are is asked for, then they are sent
// one after the other, and the page goes to what was sent.

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { formatValue } from "../data/format.ts";
import { ask, type ProfileList, type Series } from "./api.ts";
import { go } from "./go.ts";
import { app, apps } from "./live.ts";
import { NeedsToken } from "./needs_token.tsx";
import { pageOf, rangeMs } from "./place.ts";
import { forgetToken, token } from "./token.ts";

const LABEL = /^[\p{L}_][\p{L}\p{N}_.-]*=.+$/u;

const files = signal<File[] | undefined>(undefined); // undefined: nothing is being sent
const over = signal(false);
const sent = signal<{ file: string; share: number } | undefined>(undefined);
const wrong = signal("");

interface Stored {
  id: string;
  series: string;
  stored: boolean;
}

/** fetch() does not tell how much of a body has gone, so that this takes the older way. */
function send(file: File, params: URLSearchParams): Promise<Stored> {
  return new Promise((resolve, reject) => {
    const r = new XMLHttpRequest();
    r.open("POST", `/api/v1/profiles?${params.toString()}`);
    r.setRequestHeader("Authorization", `Bearer ${token.peek()}`);
    r.responseType = "json";
    r.upload.onprogress = (e) => {
      sent.value = { file: file.name, share: e.total ? e.loaded / e.total : 0 };
    };
    r.onerror = () => reject(new Error("strobe serve no longer answers: is it still running?"));
    r.onload = () => {
      const body = (r.response ?? {}) as Stored & { error?: string };
      if (r.status === 401) forgetToken();
      if (r.status === 200) resolve(body);
      else reject(new Error(body.error ?? `strobe serve answered ${r.status}`));
    };
    r.send(file);
  });
}

/** To the view of what was sent: its program, its kind, and a range that it lies in. */
async function show(last: Stored): Promise<void> {
  const { series } = await ask<{ series: Series[] }>("series");
  const s = series.find((one) => one.id === last.series);
  if (!s) return;
  const matches = Object.entries(s.labels).map(([k, v]) => `${k}=${JSON.stringify(v)}`);
  const { profiles } = await ask<ProfileList>("profiles", {
    query: `${s.kind}{${matches.join(",")}}`,
    limit: "1000",
  });
  const ms = profiles.find((p) => p.id === last.id)?.time_ms ?? s.last_ms;
  const page = pageOf(s.kind);
  const recent = Date.now() - ms < rangeMs("1h") - 60_000 && ms <= Date.now();
  go(
    {
      page: page === "cpu" ? "" : page,
      app: s.service_name,
      kind: s.kind,
      range: "1h",
      until: recent ? "" : String(ms + rangeMs("1h") / 2),
      span: `${ms}-${ms + 1}`,
      by: "",
      where: "",
      trend: "",
      run: "",
    },
    { sampleType: "", refine: [], query: "", selected: "" },
  );
}

/** Block and mutex profiles have the same types: the file's name tells, as for `strobe push`. */
function kindOf(name: string): string {
  return /mutex(?![a-z])/i.test(name) ? "mutex" : "";
}

async function sendAll(list: readonly File[], service: string, labels: string): Promise<void> {
  wrong.value = "";
  const pairs = labels.split(",").map((l) => l.trim());
  let last: Stored | undefined;
  for (const file of list) {
    const params = new URLSearchParams({ service_name: service });
    if (kindOf(file.name)) params.set("kind", kindOf(file.name));
    for (const pair of pairs) if (pair) params.append("label", pair);
    sent.value = { file: file.name, share: 0 };
    try {
      last = await send(file, params);
    } catch (e) {
      wrong.value = `${file.name}: ${e instanceof Error ? e.message : String(e)}`;
      break;
    }
  }
  sent.value = undefined;
  if (wrong.value || !last) return;
  files.value = undefined;
  await show(last).catch((e: unknown) => (wrong.value = String(e)));
}

/** "api" of "api.1234.cpu.pb.gz"; what is chosen where the name says nothing. */
function guessService(name: string): string {
  const first = name.replace(/\.(pb|prof|pprof|gz|out)\b.*$/i, "").split(".")[0];
  const tells = /^(cpu|heap|allocs|block|mutex|wall|goroutine|threads|profile|pprof|out)\d*$/i;
  return tells.test(first) ? app.peek() : first.replace(/[^\p{L}\p{N}_.-]/gu, "-");
}

export function chooseFiles(list: FileList | null | undefined): void {
  if (!list || list.length === 0) return;
  wrong.value = "";
  files.value = [...list];
}

/** Opens the browser's own dialog. */
export function UploadButton() {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        class="plain"
        title="Send profiles to this server; they can be dropped anywhere on the page, too"
        onClick={() => input.current?.click()}
      >
        Upload
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label="Profiles to upload"
        onChange={(e) => {
          chooseFiles(e.currentTarget.files);
          e.currentTarget.value = "";
        }}
      />
    </>
  );
}

function Form(props: { list: readonly File[] }) {
  const { list } = props;
  const busy = sent.value;
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.select(), [list]);
  const size = list.reduce((sum, f) => sum + f.size, 0);
  const names = list.map((f) => f.name).join(", ");
  return (
    <form
      class="upload"
      aria-label="Upload"
      onSubmit={(e) => {
        e.preventDefault();
        const data = new FormData(e.currentTarget);
        const text = (name: string): string => String(data.get(name) ?? "").trim();
        const labels = text("labels");
        const bad = labels.split(",").find((l) => l.trim() && !LABEL.test(l.trim()));
        if (bad) wrong.value = `"${bad.trim()}" is no label: write name=value`;
        else void sendAll(list, text("service"), labels);
      }}
    >
      <span class="upload-files" title={names}>
        {list.length === 1 ? names : `${list.length} files`}{" "}
        <span class="muted">{formatValue(size, "bytes")}</span>
      </span>
      <label>
        <span class="muted">application</span>{" "}
        <input
          ref={first}
          name="service"
          required
          list="known-applications"
          defaultValue={guessService(list[0].name)}
          disabled={!!busy}
        />
      </label>
      <datalist id="known-applications">
        {apps.value.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <label>
        <span class="muted">labels</span>{" "}
        <input name="labels" placeholder="env=prod, version=1.3" disabled={!!busy} />
      </label>
      <button type="submit" class="plain" disabled={!!busy}>
        Send
      </button>
      <button
        type="button"
        class="plain"
        disabled={!!busy}
        onClick={() => (files.value = undefined)}
      >
        Cancel
      </button>
      {busy && (
        <span class="upload-progress">
          <progress value={busy.share} aria-label={`Sending ${busy.file}`} />{" "}
          {busy.share < 1 ? `${Math.round(busy.share * 100)} %` : "being stored"}
        </span>
      )}
      <output class="error">{wrong.value}</output>
    </form>
  );
}

function hasFiles(e: DragEvent): boolean {
  return e.dataTransfer?.types.includes("Files") ?? false;
}

/** Takes what is dropped anywhere. */
function useDrop(): void {
  useEffect(() => {
    const onOver = (e: DragEvent): void => {
      if (!hasFiles(e)) return;
      e.preventDefault();
      over.value = true;
    };
    const onLeave = (e: DragEvent): void => {
      if (!e.relatedTarget) over.value = false;
    };
    const onDrop = (e: DragEvent): void => {
      if (!hasFiles(e)) return;
      e.preventDefault();
      over.value = false;
      chooseFiles(e.dataTransfer?.files);
    };
    addEventListener("dragover", onOver);
    addEventListener("dragleave", onLeave);
    addEventListener("drop", onDrop);
    return () => {
      removeEventListener("dragover", onOver);
      removeEventListener("dragleave", onLeave);
      removeEventListener("drop", onDrop);
    };
  }, []);
}

export function Upload() {
  useDrop();
  const list = files.value;
  return (
    <>
      {over.value && <div class="drop-here">Drop profiles to send them to this server</div>}
      {list && (
        <section class="upload-row">
          {token.value ? (
            <Form list={list} />
          ) : (
            <>
              <NeedsToken what="Sending profiles" />
              <button type="button" class="plain" onClick={() => (files.value = undefined)}>
                Cancel
              </button>
            </>
          )}
        </section>
      )}
    </>
  );
}
