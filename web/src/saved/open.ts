// SPDX-License-Identifier: MIT
//
// Whether this page was saved as one file, and what was saved in it: two blocks of compressed bytes
// as base64 text, and the engine that draws graphs where one was needed.

import { answerFrom } from "../data/request.ts";
import { engineFrom } from "../graph/engine.ts";
import { makeAnswerer, type Extra } from "./answer.ts";
import { readProfile } from "./proto.ts";

/** The bytes of a block, undefined if the page has none of that name. */
async function inflate(id: string): Promise<Uint8Array | undefined> {
  const text = document.getElementById(id)?.textContent?.trim();
  if (text === undefined) return undefined;
  const binary = atob(text);
  const packed = Uint8Array.from(binary, (c) => c.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

export function isSaved(): boolean {
  return document.getElementById("saved-profile") !== null;
}

/** The profile as every tool that reads pprof's takes it. */
export function savedProfileUrl(): string {
  const text = document.getElementById("saved-profile")?.textContent?.trim() ?? "";
  return `data:application/octet-stream;base64,${text}`;
}

/** Puts what was saved in the server's place. What the page is to open with. */
export async function openSaved(): Promise<string> {
  const [profile, extra] = await Promise.all([inflate("saved-profile"), inflate("saved-extra")]);
  if (!profile || !extra) throw new Error("This page was not saved in full.");
  const read = JSON.parse(new TextDecoder().decode(extra)) as Extra;
  answerFrom(makeAnswerer(readProfile(profile), read));
  const engine = await inflate("saved-engine");
  if (engine) {
    const url = URL.createObjectURL(new Blob([engine as BlobPart], { type: "text/javascript" }));
    engineFrom(() => new Worker(url)); /* modules may not be had from a blob in a file */
  }
  return read.query;
}
