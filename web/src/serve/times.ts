// SPDX-License-Identifier: MIT
//
// Times as the dashboard says them.

export function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-GB", { hour12: false });
}

export function day(ms: number): string {
  return new Date(ms).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
}

/** "21 Nov 12:01:26" */
export function spellTime(ms: number): string {
  return `${day(ms)} ${clock(ms)}`;
}

/** "21 Nov 12:01:26 – 13:01:26", or one time for a single profile. */
export function spellSpan(from: number, until: number): string {
  if (until - from < 1000) return spellTime(from);
  return `${spellTime(from)} – ${day(from) === day(until) ? clock(until) : spellTime(until)}`;
}

/** "3 s", "4 min", "2 h", "5 d": about how long. */
export function spellLength(ms: number): string {
  const s = ms / 1000;
  if (s < 1) return `${Math.round(ms)} ms`;
  if (s < 120) return `${s < 10 ? Math.round(s * 10) / 10 : Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172_800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86_400)} d`;
}
