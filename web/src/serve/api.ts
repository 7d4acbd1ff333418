// SPDX-License-Identifier: MIT
//
// The answers of /api/v1 that the dashboard reads (docs/api.md), and how they are asked for.

export interface Series {
  id: string;
  kind: string;
  service_name: string;
  labels: Record<string, string>;
  types: { type: string; unit: string; mode: "rate" | "level" }[];
  default_type: number;
  first_ms: number;
  last_ms: number;
  profiles: number;
}

export interface Line {
  name: string;
  values: (number | null)[];
  profiles: number[];
  duration_ms: number[];
}

export interface Timeline {
  unit: string;
  mode: "rate" | "level";
  from_ms: number;
  step_ms: number;
  buckets: number;
  lines: Line[];
}

export interface StoredProfile {
  id: string;
  time_ms: number;
  duration_ms: number;
  samples: number;
  lost: number | null;
}

export interface Target {
  job: string;
  url: string;
  service_name: string;
  instance: string;
  state: "new" | "up" | "down";
  interval_ms: number;
  last_ms: number | null;
  next_ms: number | null;
  error: string;
  error_ms: number | null;
  kinds: { kind: string; state: string; stored: number; error: string }[];
}

export interface Run {
  id: string;
  program: string;
  input: string;
  kind: string;
  status: string;
  started_ms: number;
  ended_ms: number | null;
}

/** Throws an Error with a sentence. */
export async function ask<T>(path: string, params: Record<string, string> = {}): Promise<T> {
  const query = new URLSearchParams(Object.entries(params).filter(([, v]) => v !== ""));
  const text = query.toString();
  let answer: Response;
  try {
    answer = await fetch(`/api/v1/${path}${text ? `?${text}` : ""}`);
  } catch {
    throw new Error("strobe serve no longer answers: is it still running?");
  }
  const body = (await answer.json()) as T & { error?: string };
  if (!answer.ok) throw new Error(body.error ?? `strobe serve answered ${answer.status}`);
  return body;
}
