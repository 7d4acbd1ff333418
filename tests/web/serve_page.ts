// SPDX-License-Identifier: MIT
//
// What the tests of the dashboard share: a `strobe serve` of its own for each, in a folder that is
// removed, with a suite of small programs; profiles that are pushed to it; and axe.

import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import type { Page } from "@playwright/test";
import { expect, golden, root, test as base } from "./page.ts";

export const CPU = "orders_labels.pb.gz";
export const BLOCK = "orders_block.pb.gz";

export interface Dashboard {
  url: string;
  token: string;
  /** The link that it prints. */
  link: string;
  push: (file: string, params: Record<string, string>) => Promise<void>;
}

interface Fixtures {
  serve: Dashboard;
  /** YAML of `strobe serve -c`: test.use({ config: … }). */
  config: string;
}

export const test = base.extend<Fixtures>({
  config: ["", { option: true }],
  serve: async ({ page, config, allowed }, use) => {
    const dir = mkdtempSync(join(tmpdir(), "strobe-serve-"));
    const strobe = process.env.STROBE ?? join(root, "build/strobe");
    const args = ["serve", "--listen", "127.0.0.1:0", "--store", `sqlite:${join(dir, "s.db")}`];
    if (config) {
      writeFileSync(join(dir, "strobe.yaml"), config);
      args.push("-c", join(dir, "strobe.yaml"));
    }
    const suites = join(root, "tests/web/suites");
    const child: ChildProcess = spawn(strobe, args, {
      env: { ...process.env, XDG_STATE_HOME: dir, HOME: dir, STROBE_SUITES: suites },
    });
    const [url, token] = await new Promise<[string, string]>((resolve, reject) => {
      let said = "";
      const hear = (data: Buffer): void => {
        said += data.toString();
        const found = /(http:\S+?)\/#token=([0-9a-f]+)/.exec(said);
        if (found) resolve([found[1], found[2]]);
      };
      child.stderr?.on("data", hear);
      child.stdout?.on("data", hear);
      child.on("exit", (code) => reject(new Error(`strobe serve ended with ${code}: ${said}`)));
    });
    const wrong: string[] = [];
    page.on("console", (m) => {
      const bad = m.type() === "error" || m.type() === "warning";
      if (bad && !allowed?.test(m.text())) wrong.push(m.text());
    });
    page.on("pageerror", (e) => wrong.push(String(e)));
    page.on("request", (r) => {
      if (!r.url().startsWith(`${url}/`) && !/^(data|about):/.test(r.url())) wrong.push(r.url());
    });
    await use({
      url,
      token,
      link: `${url}/#token=${token}`,
      push: async (file, params) => {
        const answer = await fetch(`${url}/api/v1/profiles?${new URLSearchParams(params)}`, {
          method: "POST",
          headers: { Authorization: `Bearer ${token}` },
          body: readFileSync(join(golden, file)),
        });
        expect(answer.status).toBe(200);
      },
    });
    await page.goto("about:blank"); /* it would go on asking a server that ends */
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.removeAllListeners("exit");
    child.on("exit", () => undefined);
    child.kill("SIGINT");
    await Promise.race([ended, new Promise((r) => setTimeout(r, 8000))]);
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    expect(wrong).toEqual([]);
  },
});

/** Half an hour of two instances. */
export async function fill(serve: Dashboard): Promise<void> {
  for (let i = 1; i <= 6; i++) {
    const time = `-${i * 5}m`;
    for (const instance of ["a", "b"])
      await serve.push(CPU, {
        service_name: "api",
        kind: "cpu",
        label: `instance=${instance}`,
        time,
      });
    await serve.push(BLOCK, { service_name: "api", kind: "block", time });
  }
}

export async function axeFinds(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { violations } = await (window as unknown as { axe: typeof axe }).axe.run();
    return violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`);
  });
}
