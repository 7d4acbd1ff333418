// SPDX-License-Identifier: MIT
//
// A picture of our own in memory, put on the canvas in one piece. A flame graph is up to a hundred
// thousand flat boxes a frame: a canvas takes some microseconds for each of them where there is no
// graphics processor, filling the same pixels takes nanoseconds. Everything is in device pixels,
// edges are whole, colours are opaque.

export interface Pixels {
  width: number;
  height: number;
  data: Uint32Array; // row by row; a colour as inkOf() makes it
  image: ImageData; // the same memory
}

export function makePixels(width: number, height: number): Pixels {
  const image = new ImageData(Math.max(1, width), Math.max(1, height));
  const data = new Uint32Array(image.data.buffer);
  return { width: image.width, height: image.height, data, image };
}

const inks = new Map<string, number>();

/** A CSS colour as a value of Pixels. The browser itself says what it looks like. */
export function inkOf(colour: string): number {
  let ink = inks.get(colour);
  if (ink !== undefined) return ink;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const c = canvas.getContext("2d", { willReadFrequently: true });
  if (!c) return 0xff000000;
  c.fillStyle = colour;
  c.fillRect(0, 0, 1, 1);
  ink = new Uint32Array(c.getImageData(0, 0, 1, 1).data.buffer)[0];
  inks.set(colour, ink);
  return ink;
}

/** What lies outside of the picture is cut off. */
export function fillRect(
  p: Pixels,
  left: number,
  top: number,
  right: number,
  bottom: number,
  ink: number,
): void {
  const [x0, x1] = [Math.max(0, left), Math.min(p.width, right)];
  const [y0, y1] = [Math.max(0, top), Math.min(p.height, bottom)];
  if (x0 >= x1) return;
  for (let y = y0; y < y1; y++) p.data.fill(ink, y * p.width + x0, y * p.width + x1);
}

/** One line of a row, of which repeatLine() makes the row. Short boxes are the most by far. */
export function fillLine(p: Pixels, y: number, left: number, right: number, ink: number): void {
  const start = y * p.width + Math.max(0, left);
  const end = y * p.width + Math.min(p.width, right);
  if (end - start > 24) p.data.fill(ink, start, end);
  else for (let i = start; i < end; i++) p.data[i] = ink;
}

/** Copies line y to those from `top` to before `bottom`. */
export function repeatLine(p: Pixels, y: number, top: number, bottom: number): void {
  const end = Math.min(p.height, bottom);
  for (let to = Math.max(0, top); to < end; to++)
    if (to !== y) p.data.copyWithin(to * p.width, y * p.width, (y + 1) * p.width);
}

/** A frame of `size` pixels inside the rectangle. */
export function strokeRect(
  p: Pixels,
  box: { left: number; top: number; right: number; bottom: number },
  size: number,
  ink: number,
): void {
  const { left, top, right, bottom } = box;
  fillRect(p, left, top, right, top + size, ink);
  fillRect(p, left, bottom - size, right, bottom, ink);
  fillRect(p, left, top, left + size, bottom, ink);
  fillRect(p, right - size, top, right, bottom, ink);
}
