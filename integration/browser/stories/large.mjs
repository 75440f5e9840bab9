// Every page of pages.json over a large fleet, and what the peers page costs on the wire.
import { filled, pages, pictureOf } from '../pages.mjs';
import { assert, story } from '../story.mjs';

const FIRST_BYTES = 60_000;
const LATER_BYTES = 15_000;
// What the browser has when nothing comes any more for so long.
const QUIET_MS = 500;

// Bytes that came over the network, heads included, while `page` went to `path`. A stream of events that
// goes on is not counted.
async function bytesOf(page, path) {
  const network = await page.context().newCDPSession(page);
  let bytes = 0;
  let lastAt = Date.now();
  network.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength;
    lastAt = Date.now();
  });
  await network.send('Network.enable');
  await page.goto(path, { waitUntil: 'load' });
  while (Date.now() - lastAt < QUIET_MS) await page.waitForTimeout(QUIET_MS / 5);
  await network.detach();
  return bytes;
}

await story('large', async ({ step, visitor }) => {
  const operator = await visitor();
  await operator.signIn();

  for (const pattern of pages) {
    await step(pattern, async () => {
      await operator.open(await filled(pattern));
      await operator.look(pictureOf(pattern));
    });
  }

  if (!pages.includes('/peers')) return;
  await step('the peers page is light', async () => {
    // One who has the session, and nothing of ours yet.
    const newcomer = await visitor();
    await newcomer.context.addCookies(await operator.context.cookies());
    const first = await bytesOf(newcomer.page, '/peers');
    const later = await bytesOf(newcomer.page, '/peers');
    console.log(`        bytes of /peers: ${first} at first, ${later} later`);
    assert.ok(first <= FIRST_BYTES, `${first} bytes at first`);
    assert.ok(later <= LATER_BYTES, `${later} bytes later`);
  });
});
