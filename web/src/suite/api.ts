// SPDX-License-Identifier: MIT
//
// The answers of the suite's routes (docs/api.md): what there is, what runs, what has run.

export interface SuiteKind {
  name: string;
  view: string;
  how: string;
}

export interface SuiteProgram {
  name: string;
  title: string;
  language: string;
  installed: boolean;
  missing: string | null;
  install: string;
  inputs: { name: string; duration_ms: number }[];
  kinds: SuiteKind[];
  lacks: { name: string; view: string; why: string }[];
  views: Record<string, string | null>;
}

export interface Suite {
  programs: SuiteProgram[];
  inputs: string[];
  kinds: string[];
}

export type RunState = "waiting" | "running" | "passed" | "failed" | "stopped";

export interface CurrentRun {
  id: string;
  program: string;
  input: string;
  kind: string;
  state: RunState;
  error: string;
  elapsed_ms: number | null;
  expected_ms: number;
}

export interface Current {
  rev: number;
  state: "none" | "running" | "stopping" | "ended";
  result: "passed" | "failed" | "stopped" | null;
  error: string;
  batch: string;
  program: string;
  input: string;
  kind: string;
  started_ms: number;
  ended_ms: number | null;
  elapsed_ms: number;
  expected_ms: number;
  done: number;
  total: number;
  now: {
    id: string;
    program: string;
    input: string;
    kind: string;
    step: string;
    step_done: number | null;
    elapsed_ms: number;
    expected_ms: number;
    cpu_percent: number | null;
    rss_bytes: number | null;
  } | null;
  runs: CurrentRun[];
  skipped: { program: string; why: string }[];
  lines: string[];
  lines_dropped: number;
}

export interface RunMetrics {
  batch?: string;
  error?: string;
  wall_ns?: number;
  cpu_ns?: number;
  peak_bytes?: number;
  rounds?: number;
  verified?: boolean;
  exit_status?: number;
  profile_samples?: number;
  machine?: { cpu?: string; kernel?: string; cpus?: number; busy?: number };
}

export interface Run {
  id: string;
  program: string;
  input: string;
  kind: string;
  status: string;
  started_ms: number;
  ended_ms: number | null;
  metrics: RunMetrics;
  profiles: string[];
}

export interface RunProfile {
  id: string;
  kind: string;
  service_name: string;
  query: string;
  time_ms: number;
}

export interface FullRun extends Run {
  details: RunProfile[];
  phases: { name: string; at_ms: number }[];
  graph: { at_ms: number[]; cpu_percent: number[]; rss_bytes: number[] };
}
