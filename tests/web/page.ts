// SPDX-License-Identifier: MIT
//
// What the browser tests share: `strobe web` on a free port for each file, a page that fails its
// test on any console error or any request to another host, and the flame graph's twin table as
// eyes.
import { spawn, type ChildProcess } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test as base, expect, type Locator, type Page } from "@playwright/test";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const golden = join(root, "tests/golden/profiles");

export interface Server {
  url: string;
  process: ChildProcess;
}

export async function serve(...args: string[]): Promise<Server> {
  return serveWith({}, ...args);
}

/** With changes of the environment. */
export async function serveWith(env: Record<string, string>, ...args: string[]): Promise<Server> {
  const child = spawn(
    process.env.STROBE ?? join(root, "build/strobe"),
    ["web", "-no_browser", ...args],
    { env: { ...process.env, ...env } },
  );
  const url = await new Promise<string>((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (data: Buffer) => {
      said += data.toString();
      const found = /Serving web UI on (http:\S+)\n/.exec(said);
      if (found) resolve(found[1]);
    });
    child.on("exit", (code) => reject(new Error(`strobe web ended with ${code}: ${said}`)));
  });
  return { url, process: child };
}

export function stop(server: Server): Promise<number | null> {
  return new Promise((resolve) => {
    server.process.on("exit", resolve);
    server.process.kill("SIGINT");
  });
}

interface Fixtures {
  /** Opens the page of a profile in tests/golden/profiles, or of a path. */
  open: (file: string, query?: string, ...args: string[]) => Promise<Flame>;
  /** Of strobe's environment: test.use({ env: … }). */
  env: Record<string, string>;
  /** Messages of the console that are part of the test. */
  allowed: RegExp | undefined;
}

export const test = base.extend<Fixtures>({
  env: [{}, { option: true }],
  allowed: [undefined, { option: true }],
  open: async ({ page, env, allowed }, use) => {
    const servers: Server[] = [];
    const wrong: string[] = [];
    page.on("console", (m) => {
      const bad = m.type() === "error" || m.type() === "warning";
      if (bad && !allowed?.test(m.text())) wrong.push(m.text());
    });
    page.on("pageerror", (e) => wrong.push(String(e)));
    page.on("request", (r) => {
      const ours = servers.some((s) => r.url().startsWith(`${s.url}/`));
      if (!ours && !r.url().startsWith("data:")) wrong.push(`a request to ${r.url()}`);
    });
    await use(async (file, query = "", ...args) => {
      const server = await serveWith(env, ...args, file.includes("/") ? file : join(golden, file));
      servers.push(server);
      await page.goto(`${server.url}/${query}`);
      await expect(page.getByRole("contentinfo")).toBeVisible();
      await expect(page.locator("main.view[aria-busy=true]")).toHaveCount(0);
      return new Flame(page);
    });
    const seen = [...wrong]; // what the page still asks of a server that ends is no fault of it
    for (const server of servers) expect(await stop(server)).toBe(0);
    expect(seen).toEqual([]);
  },
});

export { expect };

/** A field of a protocol buffer message: of a number below 128, or of bytes. */
export function field(number: number, value: number | string | Buffer): Buffer {
  if (typeof value === "number") return Buffer.from([number * 8, value]);
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes]);
}

/** Nothing stands over the edge of the screen, once the page has its new size. */
export async function expectToFit(page: Page, width: number): Promise<void> {
  await expect
    .poll(() => page.evaluate(() => document.documentElement.scrollWidth))
    .toBeLessThanOrEqual(width);
}

const ROW = 18;

export class Flame {
  constructor(readonly page: Page) {}

  get area(): Locator {
    return this.page.getByRole("application");
  }
  get status(): Locator {
    return this.page.getByRole("contentinfo");
  }
  get matched(): Locator {
    return this.page.locator("#matched");
  }
  get search(): Locator {
    return this.page.getByRole("searchbox");
  }
  get chosen(): Locator {
    return this.page.locator("#flame-twin tr[data-role=chosen]");
  }
  get callees(): Locator {
    return this.page.locator("#flame-twin tr[data-role=callee]");
  }
  get callers(): Locator {
    return this.page.locator("#flame-twin tr[data-role=caller]");
  }
  get rows(): Locator {
    return this.page.locator("tr[data-function]");
  }
  nameOf(row: Locator): Locator {
    return row.getByRole("rowheader");
  }
  pill(kind: string): Locator {
    return this.page.locator(`[data-pill=${kind}] .pill-value`);
  }
  /** A parameter of the address. The view is one, or stands in the path: /ui/top. */
  param(name: string): string | null {
    const url = new URL(this.page.url());
    const own = name === "view" ? /\/ui\/(\w+)$/.exec(url.pathname)?.[1] : undefined;
    return url.searchParams.get(name) ?? own ?? null;
  }

  /** The middle of a row's box on the screen. */
  async pointOf(row: Locator): Promise<{ x: number; y: number }> {
    const box = await this.area.boundingBox();
    const number = async (name: string) => Number(await row.getAttribute(`data-${name}`));
    if (!box) throw new Error("the flame graph is not there");
    const scroll = await this.area.evaluate((e) => e.scrollTop);
    return {
      x: box.x + ((await number("left")) + (await number("width")) / 2) * box.width,
      y: box.y + ((await number("depth")) + 0.5) * ROW - scroll,
    };
  }

  async clickBox(row: Locator): Promise<void> {
    const { x, y } = await this.pointOf(row);
    await this.page.mouse.click(x, y);
  }
}
