// SPDX-License-Identifier: MIT
//
// Numbers as the command line prints them: units, rounding and percentages are pprof's
// (internal/measurement/measurement.go), so that a number on the page can be found in `strobe top`.

interface Unit {
  name: string;
  aliases: string[];
  factor: number;
}

interface Family {
  fallback: Unit;
  units: Unit[];
}

function unit(name: string, factor: number, ...aliases: string[]): Unit {
  return { name, factor, aliases: [name.toLowerCase(), ...aliases] };
}

const K = 1024;
const bytes = unit("B", 1, "byte");
const seconds = unit("s", 1e9, "sec", "second");
const gcu = unit("GCU", 1e9, "gcu");

const families: Family[] = [
  {
    fallback: bytes,
    units: [
      bytes,
      unit("kB", K, "kbyte", "kilobyte"),
      unit("MB", K ** 2, "mbyte", "megabyte"),
      unit("GB", K ** 3, "gbyte", "gigabyte"),
      unit("TB", K ** 4, "tbyte", "terabyte"),
      unit("PB", K ** 5, "pbyte", "petabyte"),
    ],
  },
  {
    fallback: seconds,
    units: [
      unit("ns", 1, "nanosecond"),
      unit("us", 1e3, "μs", "microsecond"),
      unit("ms", 1e6, "millisecond"),
      seconds,
      unit("hrs", 3600e9, "hour", "hr"),
    ],
  },
  {
    fallback: gcu,
    units: [
      unit("n*GCU", 1, "nanogcu"),
      unit("u*GCU", 1e3, "microgcu"),
      unit("m*GCU", 1e6, "milligcu"),
      gcu,
      unit("k*GCU", 1e12, "kilogcu"),
      unit("M*GCU", 1e15, "megagcu"),
      unit("G*GCU", 1e18, "gigagcu"),
      unit("T*GCU", 1e21, "teragcu"),
      unit("P*GCU", 1e24, "petagcu"),
    ],
  },
];

function find(name: string): { family: Family; unit: Unit } | undefined {
  let key = name.toLowerCase();
  if (key.length > 2 && key.endsWith("s")) key = key.slice(0, -1);
  for (const family of families)
    for (const u of family.units) if (u.aliases.includes(key)) return { family, unit: u };
  return undefined;
}

/** The largest unit in which the value is at least 1; "" where the unit has no multiples. */
export function autoUnit(value: number, from: string): string {
  const found = find(from);
  if (!found) return "";
  const base = Math.abs(value) * found.unit.factor;
  let best: Unit | undefined;
  for (const u of found.family.units)
    if (base / u.factor >= 1 && (!best || u.factor > best.factor)) best = u;
  return (best ?? found.family.fallback).name;
}

/** "1.50", "10", "0": two decimals, none if both are zero. */
export function formatNumber(value: number): string {
  const text = value.toFixed(2).replace(/\.00$/, "");
  return text === "-0" ? "0" : text;
}

/** The value in unit `to`; as it is where the units have nothing in common. */
export function convert(value: number, from: string, to: string): number {
  const source = find(from);
  const target = source?.family.units.find((u) => u.name === to);
  return source && target ? (value * source.unit.factor) / target.factor : value;
}

/** The value in unit `to`, without the unit. */
export function formatIn(value: number, from: string, to: string): string {
  return formatNumber(convert(value, from, to));
}

/** "4.56s", "1.50MB", "12": what pprof prints with -unit=auto. */
export function formatValue(value: number, from: string): string {
  const to = autoUnit(value, from);
  const text = formatIn(value, from, to);
  return text === "0" ? "0" : text + to;
}

/** The unit that -unit=`asked` means; "" for the best one, "auto" for the best of each number. */
export function settleUnit(asked: string, from: string): string {
  if (asked === "" || asked === "minimum") return "";
  const source = find(from);
  if (!source) return ["auto", "count", "sample", "unit"].includes(asked) ? "" : asked;
  if (asked === "auto") return asked;
  const target = find(asked);
  return (target?.family === source.family ? target.unit : source.family.fallback).name;
}

/**
 * One unit for a whole table (report.go, the unit "minimum"): the one of its smallest row, unless
 * that is more than a hundred times smaller than the largest.
 */
export function tableUnit(smallest: number, largest: number, from: string): string {
  const small = autoUnit(smallest, from);
  if (small !== autoUnit(largest, from) && 100 * smallest < largest)
    return autoUnit(100 * smallest, from);
  return small;
}

/** "12.30%", "0.5%", "100%", "0%" */
export function formatPercent(value: number, total: number): string {
  if (total === 0) return "0%";
  const ratio = Math.abs(value / total) * 100;
  if (ratio >= 99.95 && ratio <= 100.05) return "100%";
  if (ratio >= 1) return `${ratio.toFixed(2)}%`;
  return ratio === 0 ? "0%" : `${twoDigits(ratio)}%`;
}

/** C's %.2g. */
function twoDigits(value: number): string {
  const [mantissa, exponent] = value.toExponential(1).split("e");
  const power = Number(exponent);
  if (power < -4) {
    const digits = String(Math.abs(power)).padStart(2, "0");
    return `${Number(mantissa)}e-${digits}`;
  }
  return String(Number(value.toPrecision(2)));
}

const grouped = new Intl.NumberFormat("en-US");

/** "1,234,567" */
export function formatCount(n: number): string {
  return grouped.format(n);
}

/** "cpu time", "samples": how the sample type is spoken of. */
export function unitInWords(unitName: string): string {
  return find(unitName)?.unit.name ?? unitName;
}
