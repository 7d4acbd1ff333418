// SPDX-License-Identifier: MIT
//
// What a profile's comments say about samples that are missing or cut, for the status bar. Each is
// shown as it stands there; counts of zero are not.

const TELLING = /\b(lost|truncated|dropped|incomplete|not recorded)\b/i;

export function honesty(comments: string[]): string[] {
  const said: string[] = [];
  for (const comment of comments)
    for (const clause of comment.split(/[;\n]|,(?=\s)/)) {
      const text = clause.trim();
      const count = /\d+/.exec(text.replaceAll(/(?<=\d),(?=\d)/g, ""));
      if (TELLING.test(text) && (!count || Number(count[0]) > 0)) said.push(text);
    }
  return said;
}
