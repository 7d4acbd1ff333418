// SPDX-License-Identifier: MIT
//
// Every answer that the page asks for goes through here: from the server that it came from, or, in
// a page that was saved as one file, from what was saved with it.

import { hear } from "./warnings.ts";

export type Answerer = (url: string) => Promise<Response>;

let answerer: Answerer = (url) => fetch(url);

/** In place of the server. */
export function answerFrom(other: Answerer): void {
  answerer = other;
}

/** Throws an Error with a sentence for the reader, also if the server refuses. */
export async function request(url: string): Promise<Response> {
  let answer: Response;
  try {
    answer = await answerer(url);
  } catch {
    throw new Error("strobe no longer answers: is it still running?");
  }
  hear(url, answer.headers);
  if (!answer.ok) throw new Error(((await answer.json()) as { error: string }).error);
  return answer;
}
