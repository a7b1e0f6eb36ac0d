// Debian's Chromium, driven by playwright-core from the folder where the packages were installed.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { serve } from './server.mjs';

export const here = dirname(fileURLToPath(import.meta.url));
export const modules = process.env.GOPMILL_NODE_MODULES ?? join(here, 'node_modules');
export const load = createRequire(join(modules, 'here.js'));

// Serves `folder` at /media/ beside the players and opens the page; `use(page, url)` gets both.
export async function withPage(folder, use) {
  const { chromium } = load('playwright-core');
  const server = await serve({ '/': here, '/lib/': modules, '/media/': folder });
  let browser;
  try {
    browser = await chromium.launch({
      executablePath: process.env.GOPMILL_CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--disable-gpu', '--disable-dev-shm-usage'],
    });
    const page = await browser.newPage();
    const said = [];
    page.on('pageerror', (e) => said.push(`page: ${e.message}`));
    await page.goto(`${server.url}/page.html`);
    const result = await use(page, `${server.url}/media`);
    return { result, said, missing: server.missing };
  } finally {
    await browser?.close();
    server.close();
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Asks `probe` each 100 ms until it gives something true; throws with `what` after `limit_s` seconds.
export async function until(what, limit_s, probe) {
  const end = Date.now() + limit_s * 1000;
  for (;;) {
    const got = await probe();
    if (got) {
      return got;
    }
    if (Date.now() > end) {
      throw new Error(`${what}: not within ${limit_s} s`);
    }
    await sleep(100);
  }
}
