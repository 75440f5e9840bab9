// Every page of pages.json over a large fleet, and what the peers page costs on the wire.
import { filled, pages, pictureOf } from '../pages.mjs';
import { assert, story, until } from '../story.mjs';

const FIRST_BYTES = 60_000;
const LATER_BYTES = 15_000;

// Bytes that came over the network, heads included, while `page` went to `path`. A stream of events, which
// goes on, is not counted.
async function bytesOf(page, path) {
  const network = await page.context().newCDPSession(page);
  let bytes = 0;
  const open = new Set();
  network.on('Network.requestWillBeSent', ({ requestId, type }) => { if (type !== 'EventSource') open.add(requestId); });
  network.on('Network.loadingFailed', ({ requestId }) => open.delete(requestId));
  network.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    if (open.delete(requestId)) bytes += encodedDataLength;
  });
  await network.send('Network.enable');
  await page.goto(path, { waitUntil: 'load' });
  await until('everything has come', () => open.size === 0);
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
