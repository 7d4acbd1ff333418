// SPDX-License-Identifier: MIT
//
// What a profile's comments say about samples that are missing or cut, in words for the status bar.
// The first form is that of strobe's own profiles; comments of others are shown as they are if they
// speak of it. Counts of zero are not worth a word, and lines that begin with # are details.

const COUNTS = /^(\d+) samples, (\d+) lost, (\d+) truncated, (\d+) cut at (\d+) frames$/;
const TELLING = /\b(lost|truncated|dropped|incomplete|could not be|still running)\b/i;

function plural(count: number, one: string): string {
  return `${count.toLocaleString("en-US")} ${one}${count === 1 ? "" : "s"}`;
}

/** Sums of what strobe's own profiles say of their samples; undefined if none of them is one. */
export interface SampleCounts {
  samples: number;
  lost: number;
  truncated: number;
}

export function sampleCounts(comments: string[]): SampleCounts | undefined {
  let sum: SampleCounts | undefined;
  for (const comment of comments) {
    const c = COUNTS.exec(comment)?.slice(1).map(Number);
    if (!c) continue;
    sum ??= { samples: 0, lost: 0, truncated: 0 };
    sum.samples += c[0];
    sum.lost += c[1];
    sum.truncated += c[2];
  }
  return sum;
}

/** Counts of several profiles that were merged are added up. */
export function honesty(comments: string[]): string[] {
  let lost = 0;
  let truncated = 0;
  let cut = 0;
  let depth = 0;
  const said: string[] = [];
  for (const comment of comments) {
    const counts = COUNTS.exec(comment)?.slice(1).map(Number);
    if (counts) {
      lost += counts[1];
      truncated += counts[2];
      cut += counts[3];
      depth = Math.max(depth, counts[4]);
    } else if (TELLING.test(comment) && !/^#|\b0 /.test(comment)) said.push(comment);
  }
  if (cut > 0) said.unshift(`${plural(cut, "stack")} cut at ${depth} frames`);
  if (truncated > 0) said.unshift(`${plural(truncated, "stack")} truncated`);
  if (lost > 0) said.unshift(`${plural(lost, "sample")} lost`);
  return said;
}
