// SPDX-License-Identifier: MIT
//
// A profile as the page holds it: the tables of src/analyze/flame.h as columns, and the questions
// that every view asks of them. Built once for each sample type; never changed.

import type { Body, Facts, SampleType } from "./columns.ts";
import { layoutTree, sumUp, type Tree } from "../flame/tree.ts";
import { addSides, type Sides } from "./sides.ts";
import { moduleGroup } from "./module.ts";

export const ROOT_FRAME = -1;
export const LEFT_OUT_FRAME = -2;

export interface Profile {
  facts: Facts;
  sampleType: SampleType;
  total: number; // what boxes' widths are of
  valueTotal: number; // what numbers are of: the same, or a mean
  functionName: Int32Array;
  functionFlat: Float64Array;
  functionCum: Float64Array;
  functionSums: Sums; // the same, but sums where the above are means
  functionFrame: Int32Array; // one frame of each function: for its file and module
  frameFunction: Int32Array;
  frameFile: Int32Array;
  frameModule: Int32Array;
  frameLine: Int32Array;
  frameInlined: Int32Array;
  frameGroup: string[]; // what the frame is coloured by: module or package
  tree: Tree;
  merged?: Merged | undefined;
  sides?: Sides | undefined; // of a difference
  asShares?: () => Profile; // the same difference, of shares
  /** Of means: what divides the boxes' sums, by themselves and with callees. */
  divisors?: { self: Float64Array; total: Float64Array };
}

export interface Sums {
  flat: Float64Array;
  cum: Float64Array;
}

/** Rows of lines and addresses are "ADDRESS FUNCTION FILE:LINE": the function of one. */
function functionOfRow(name: string, file: string): string {
  const at = file ? name.indexOf(` ${file}`) : -1;
  return (at > 0 ? name.slice(0, at) : name).replace(/^[0-9a-f]{16} /, "");
}

/** What several profiles were merged from. */
export interface Merged {
  profiles: number;
  series: number;
  duration_ms: number;
  lost: number;
  rounded: boolean; // to whole ten minutes, as old profiles are kept
  damaged: number; // parts of the store that could not be read
  program: string; // file of the first binary, and its build id
  build: string;
  before: number; // profiles of the range that it is compared with; 0: none is
}

export function makeProfile(body: Body): Profile {
  const { facts } = body;
  const frameFunction = body.i32("frame_function");
  const frameFile = body.i32("frame_file");
  const frameModule = body.i32("frame_module");
  const functionName = body.i32("function_name");
  const functionFrame = new Int32Array(functionName.length).fill(-1);
  for (let i = frameFunction.length - 1; i >= 0; i--) functionFrame[frameFunction[i]] = i;
  const frameGroup = new Array<string>(frameFunction.length);
  for (let i = 0; i < frameGroup.length; i++)
    frameGroup[i] = moduleGroup(
      functionOfRow(facts.strings[functionName[frameFunction[i]]], facts.strings[frameFile[i]]),
      facts.strings[frameFile[i]],
      facts.strings[frameModule[i]],
    );
  const sums = { flat: body.f64("function_flat"), cum: body.f64("function_cum") };
  const p: Profile = {
    facts,
    sampleType: facts.sample_types[facts.type] ?? { type: "samples", unit: "count" },
    total: facts.total,
    valueTotal: facts.mean_total ?? facts.total,
    functionName,
    functionFlat: sums.flat,
    functionCum: sums.cum,
    functionSums: sums,
    functionFrame,
    frameFunction,
    frameFile,
    frameModule,
    frameLine: body.i32("frame_line"),
    frameInlined: body.i32("frame_inlined"),
    frameGroup,
    tree: layoutTree(
      body.i32("node_parent"),
      body.i32("node_frame"),
      body.numbers("node_self", facts.self_unit),
      body.has("node_weight") ? body.numbers("node_weight", facts.self_unit) : undefined,
    ),
  };
  return body.has("node_div") ? asMeans(p, body) : addSides(p, body);
}

function asMeans(p: Profile, body: Body): Profile {
  const self = body.f64("node_div");
  const means = (sums: Float64Array, name: string): Float64Array => {
    const divisors = body.f64(name);
    return sums.map((v, i) => mean(v, divisors[i]));
  };
  return {
    ...p,
    functionFlat: means(p.functionFlat, "function_flat_div"),
    functionCum: means(p.functionCum, "function_cum_div"),
    divisors: { self, total: sumUp(p.tree.parent, self) },
  };
}

/** As pprof divides: what nothing divides stays. */
function mean(value: number, divisor: number): number {
  return divisor === 0 ? value : Math.trunc(value / divisor);
}

/** What a box has by itself: the sum, or the mean where means are asked for. */
export function boxSelf(p: Profile, node: number): number {
  const value = p.tree.self[node];
  return p.divisors ? mean(value, p.divisors.self[node]) : value;
}

/** The same with callees. */
export function boxTotal(p: Profile, node: number): number {
  const value = p.tree.total[node];
  return p.divisors ? mean(value, p.divisors.total[node]) : value;
}

export function functionNameOf(p: Profile, fn: number): string {
  return p.facts.strings[p.functionName[fn]];
}

export function frameName(p: Profile, frame: number): string {
  if (frame === ROOT_FRAME) return "all";
  if (frame === LEFT_OUT_FRAME) return "(calls too small to show)";
  return functionNameOf(p, p.frameFunction[frame]);
}

export function nodeName(p: Profile, node: number): string {
  return frameName(p, p.tree.frame[node]);
}

/** -drop_negative (internal/graph, newGraph): less by itself, or nothing by itself and less. */
export function isDropped(self: number, total: number): boolean {
  return self < 0 || (self === 0 && total < 0);
}

/** -1 for the root and for what was left out. */
export function nodeFunction(p: Profile, node: number): number {
  const frame = p.tree.frame[node];
  return frame < 0 ? -1 : p.frameFunction[frame];
}

export function findFunction(p: Profile, name: string): number {
  for (let i = 0; i < p.functionName.length; i++) if (functionNameOf(p, i) === name) return i;
  return -1;
}

/** "vdbe.c:812", or "" */
export function framePlace(p: Profile, frame: number): string {
  if (frame < 0) return "";
  const file = p.facts.strings[p.frameFile[frame]];
  const line = p.frameLine[frame];
  return file && line > 0 ? `${file}:${line}` : file;
}

/** "libsqlite3.so.0.8.6", or "" */
export function frameModuleName(p: Profile, frame: number): string {
  const file = frame < 0 ? "" : p.facts.strings[p.frameModule[frame]];
  return file.slice(file.lastIndexOf("/") + 1);
}
