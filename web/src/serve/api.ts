// SPDX-License-Identifier: MIT
//
// The answers of /api/v1 that the dashboard reads (docs/api.md), and how they are asked for.

import { forgetToken, token } from "./token.ts";

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
  series: string;
  time_ms: number;
  duration_ms: number;
  period: number;
  samples: number;
  lost: number | null;
  total: number;
}

export interface ProfileList {
  profiles: StoredProfile[];
  more: boolean;
}

export interface Top {
  from_ms: number;
  step_ms: number;
  buckets: number;
  totals: number[];
  functions: { name: string; flat_values: number[]; cum_values: number[] }[];
}

export interface TrendPoints {
  points: { time_ms: number; flat: number; cum: number; total: number }[];
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

type Params = readonly (readonly [string, string])[] | Record<string, string>;

function urlOf(path: string, params: Params): string {
  const list = Array.isArray(params) ? (params as [string, string][]) : Object.entries(params);
  const text = new URLSearchParams(list.filter(([, v]) => v !== "")).toString();
  return `/api/v1/${path}${text ? `?${text}` : ""}`;
}

async function answerOf<T>(request: Promise<Response>): Promise<T> {
  let answer: Response;
  try {
    answer = await request;
  } catch (e) {
    if (e instanceof DOMException && e.name === "AbortError") throw e;
    throw new Error("strobe serve no longer answers: is it still running?");
  }
  if (answer.status === 401) forgetToken();
  const body = (await answer.json()) as T & { error?: string };
  if (!answer.ok) throw new Error(body.error ?? `strobe serve answered ${answer.status}`);
  return body;
}

/** Throws an Error with a sentence. */
export function ask<T>(path: string, params: Params = {}, abort?: AbortSignal): Promise<T> {
  return answerOf<T>(fetch(urlOf(path, params), { signal: abort ?? null }));
}

/** The same for what changes something: with the token of this tab. */
export function post<T>(path: string, body: unknown): Promise<T> {
  return answerOf<T>(
    fetch(urlOf(path, {}), {
      method: "POST",
      headers: { Authorization: `Bearer ${token.value}`, "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
}

export function sentence(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}
