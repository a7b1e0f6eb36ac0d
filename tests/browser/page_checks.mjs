// What the tests of the dashboard share: checks that are counted, the browser, the rules of axe-core.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { modules } from './chromium.mjs';

// A check that fails is told at once and kept in `failures`.
export function checks() {
  const failures = [];
  let done = 0;
  return {
    failures,
    count: () => done,
    check(what, ok, told = '') {
      done++;
      if (!ok) {
        failures.push(what);
        console.log(`FAILED: ${what}${told ? `: ${told}` : ''}`);
      }
    },
  };
}

export const launch = (chromium) => chromium.launch({
  executablePath: process.env.GOPMILL_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--disable-gpu', '--disable-dev-shm-usage'],
});

// What axe-core finds against the page as it is now, in both themes.
export async function axe(page, where, check) {
  if (!(await page.evaluate(() => Boolean(globalThis.axe)))) { // evaluate() is not bound by the page's policy, a script element would be
    await page.evaluate(readFileSync(join(modules, 'axe-core/axe.min.js'), 'utf8'));
  }
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    for (const v of found.violations) {
      check(`${where}, ${theme}: axe ${v.id}`, false, `${v.help}: ${v.nodes.map((n) => `${n.target.join(' ')} ${n.any[0]?.message ?? ''}`).slice(0, 3).join(' | ')}`);
    }
    check(`${where}, ${theme}: axe looked`, found.violations !== undefined);
  }
}
