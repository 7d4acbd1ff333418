// SPDX-License-Identifier: MIT
//
// What a frame belongs to, for colour and legend: the package in Go, else the binary. The group's
// name is hashed to one of twelve hues, so that it has the same one on every page.

export type Tone = number | "kernel" | "libc" | "unknown";

const HUES = 12;
const LIBC = /^(ld-linux|ld-musl|libc|libm|libpthread|libdl|librt|libstdc\+\+|libgcc_s|ld64?)\b/;

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** "net/http" of "net/http.(*conn).serve", "main" of "main.main.func1". */
function goPackage(name: string): string {
  const slash = name.lastIndexOf("/", name.indexOf("[") < 0 ? undefined : name.indexOf("["));
  const dot = name.indexOf(".", slash + 1);
  return dot < 0 ? name : name.slice(0, dot);
}

export function moduleGroup(name: string, file: string, module: string): string {
  if (file.endsWith(".go") || (file.endsWith(".s") && /^[\w./-]+\.\w+$/.test(name)))
    return goPackage(name);
  return baseName(module);
}

export function toneOf(group: string): Tone {
  if (!group) return "unknown";
  if (/^\[?(kernel|guest\.kernel|vmlinux)/.test(group) || group.endsWith(".ko")) return "kernel";
  if (LIBC.test(group) || group === "[vdso]" || group === "linux-vdso.so.1") return "libc";
  let hash = 0x811c9dc5;
  for (let i = 0; i < group.length; i++)
    hash = Math.imul(hash ^ group.charCodeAt(i), 0x01000193) >>> 0;
  return ((hash ^ (hash >>> 15)) >>> 0) % HUES;
}
