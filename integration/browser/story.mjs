// A story is one file in stories/: what people do in a browser, told with `story`.
//
//   import { assert, fleet, story } from '../story.mjs';
//
//   await story('nodes', async ({ step, visitor }) => {
//     const operator = await (await visitor()).signIn(fleet.tokens.operator);
//     await step('the table shows every node', async () => {
//       const page = await operator.open('/nodes');
//       assert.equal(await page.getByRole('row').count(), 1 + fleet.nodes.length);
//       await operator.look('nodes');
//     });
//   });
//
// `tests/pages` runs each on a fleet of its own; tests/pages/main.rs says how to add one.
import assert from 'node:assert/strict';

import { fleet } from './fleet.mjs';
import { chromium } from './tools.mjs';
import { pause, until, within } from './until.mjs';
import { Visitor } from './visitor.mjs';

export { assert, fleet, pause, until };

const STORY_MS = Number(process.env.WGFLEET_STORY_SECONDS ?? 240) * 1000;
const LAUNCH_MS = 30_000;
const CLOSE_MS = 5_000;

const ARGUMENTS = [
  // A container's /dev/shm is small.
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--force-color-profile=srgb',
  '--font-render-hinting=none',
];
// The one key that is believed whoever vouches for it.
if (fleet.told.spki_sha256) ARGUMENTS.push(`--ignore-certificate-errors-spki-list=${fleet.told.spki_sha256}`);

// Plays it and ends this process: 0 when all went well.
export async function story(name, play) {
  const started = Date.now();
  const tell = (text) => console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`);
  const visitors = [];
  let browser;
  let at = 'the start';
  const step = async (what, work) => {
    at = what;
    tell(what);
    const result = await work();
    visitors.forEach((visitor) => visitor.check());
    return result;
  };
  try {
    const isRoot = process.getuid() === 0;
    browser = await chromium.launch({
      executablePath: process.env.WGFLEET_CHROMIUM,
      // Chromium has no sandbox for root.
      chromiumSandbox: !isRoot,
      args: ARGUMENTS,
      timeout: LAUNCH_MS,
    });
    const visitor = async (options) => {
      const made = await Visitor.in(browser, name, options);
      visitors.push(made);
      return made;
    };
    await within(STORY_MS, `the story "${name}"`, play({ browser, step, visitor }));
    visitors.forEach((visitor) => visitor.check());
    tell('all is well');
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAILED at "${at}": ${error.stack ?? error}`);
    await lastLooks(name, visitors);
  }
  await within(CLOSE_MS, 'closing the browser', browser?.close()).catch((error) => console.log(`${error}`));
  process.exit();
}

// What every visitor saw when it went wrong, and what the browser complained of beside it.
async function lastLooks(name, visitors) {
  for (const [number, visitor] of visitors.entries()) {
    const path = `${process.env.WGFLEET_SCREENSHOTS}/${name}/failed-${number}.png`;
    const taken = visitor.page.screenshot({ path, timeout: CLOSE_MS }).then(() => path, () => 'no picture');
    console.log(`visitor ${number} was on ${visitor.page.url()}: ${await taken}`);
    try {
      visitor.check();
    } catch (error) {
      console.log(error.message);
    }
  }
}
