// Somebody who has just started `make demo`, on a kernel with WireGuard, and another agent by hand.
import { readFileSync } from 'node:fs';

import { assert, fleet, story, until } from '../story.mjs';

const { told, spare } = fleet;
const NODE = 'by-hand';
const PEER = 'my-laptop';
// Of a peer that nobody declared.
const STRANGER = 'c3RyYW5nZXIgc3RyYW5nZXIgc3RyYW5nZXIgc3RyYW4=';

const button = (page, name) => page.getByRole('button', { name, exact: true });
const says = (page, part, what) => until(`${part} says ${what}`, async () => what.test(await page.locator(part).innerText()));

// What `wg` shows on the node: allowed IPs, by public key.
const shown = () => fleet.ask({ do: 'shown' });

// Of a tunnel whose other end has forgotten it, WireGuard makes a new one after 15 seconds.
const ANEW_MS = 40_000;

// Sends through the client's tunnel until answers come.
async function talks() {
  const { received: before } = await fleet.ask({ do: 'client_talks' });
  await until('answers come through the tunnel', async () => {
    const { received } = await fleet.ask({ do: 'client_talks' });
    return received > before + 500;
  }, ANEW_MS);
}

await story('newcomer', async ({ step, visitor }) => {
  const admin = await visitor();
  const { page } = admin;

  await step('signs in and sees three nodes at work', async () => {
    await admin.open('/sign-in');
    await admin.signIn();
    await says(page, 'main', /online/i);
    await admin.look('overview');
    await admin.open('/nodes');
    for (const name of ['node-1', 'node-2', 'node-3']) {
      const row = page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
      await until(`${name} is online, with traffic`, async () => {
        const text = await row.innerText();
        return /online/.test(text) && /[1-9][\d.]* k?bit\/s/.test(text);
      });
    }
  });

  await step('is told that the secret is wrong', async () => {
    await page.getByRole('link', { name: 'Add Node' }).click();
    await page.waitForURL(/\/nodes\/new$/);
    await page.getByLabel('Name').fill(NODE);
    await page.getByLabel('Agent URL').fill(spare.agent_url);
    await page.getByLabel('WireGuard Interface').fill(spare.interface);
    await page.getByLabel('Endpoint').fill(told.endpoint);
    await page.getByLabel('IP Pool CIDR').fill(told.pool);
    await page.getByLabel('Shared Secret').fill('a secret that this agent does not know');
    await button(page, 'Test Connection').click();
    await says(page, '#tested', /does not work/);
    await says(page, '#tested', /secret: no/);
    await admin.look('wrong-secret');
  });

  let node;
  await step('and then that it works, and adds the node', async () => {
    await page.getByLabel('Shared Secret').fill(spare.secret);
    await button(page, 'Test Connection').click();
    await says(page, '#tested', /The connection works/);
    await button(page, 'Create').click();
    await page.waitForURL((at) => /^\/nodes\/[0-9a-f-]{36}$/.test(at.pathname));
    node = { id: new URL(page.url()).pathname.split('/').at(-1), name: NODE };
    await says(page, '#now', /online/);
    await says(page, '#drift', /The node is as declared/);
  });

  let peer;
  let config;
  await step('adds a peer and downloads its configuration', async () => {
    await admin.open('/peers/new');
    await page.getByLabel('Name', { exact: true }).fill(PEER);
    await page.getByLabel('Node', { exact: true }).fill(NODE);
    await button(page, 'Add peer').click();
    await page.waitForURL((at) => /^\/peers\/[0-9a-f-]{36}$/.test(at.pathname));
    peer = await fleet.rest('GET', new URL(page.url()).pathname);
    const code = page.getByRole('img', { name: /QR code/ });
    await until('the code is drawn', () => code.evaluate((image) => image.complete && image.naturalWidth > 100));
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: /download/i }).click(),
    ]);
    assert.equal(file.suggestedFilename(), `${PEER}.conf`);
    config = readFileSync(await file.path(), 'utf8');
    assert.ok(config.includes(`Endpoint = ${told.endpoint}`), 'it leads to the node');
    await until('the kernel has it', async () => {
      assert.deepEqual((await shown())[peer.public_key], peer.allowed_ips);
      return true;
    });
  });

  await step('sees it online as soon as a client comes up with that', async () => {
    await admin.open(`/peers/${peer.id}`);
    await page.evaluate(() => { window.sameDocument = true; });
    assert.doesNotMatch(await page.locator('#now').innerText(), /\bonline\b/);
    await fleet.ask({ do: 'client_up', config });
    await talks();
    await says(page, '#now', /\bonline\b/);
    await says(page, '#now', /192\.0\.2\.2:/);
    assert.equal(await page.evaluate(() => window.sameDocument), true, 'it was reloaded');
    await admin.look('online');
  });

  await step('a peer that is removed with wg comes back by itself', async () => {
    await admin.open(`/nodes/${node.id}`);
    await says(page, '#drift', /The node is as declared/);
    await fleet.ask({ do: 'set_peer', key: peer.public_key, settings: ['remove'] });
    await until('wg shows it again', async () => peer.public_key in await shown());
    assert.deepEqual((await shown())[peer.public_key], peer.allowed_ips);
    await talks();
  });

  await step('what cannot be mended by itself is seen field by field', async () => {
    await admin.open(`/nodes/${node.id}`);
    await says(page, '#drift', /The node is as declared/);
    await page.evaluate(() => { window.sameDocument = true; });
    // Somebody else's address is given away by nobody but its owner.
    const settings = ['allowed-ips', peer.allowed_ips.join(',')];
    await fleet.ask({ do: 'set_peer', key: STRANGER, settings });
    await until('the drift is shown', async () => {
      const text = await page.locator('#drift tbody', { hasText: peer.public_key }).innerText();
      return /Allowed IPs/.test(text) && text.includes(peer.allowed_ips[0]);
    });
    await says(page, '#drift', /Peers nobody declared: 1/);
    assert.equal(await page.evaluate(() => window.sameDocument), true, 'it was reloaded');
    await admin.look('drift');
    assert.deepEqual((await shown())[peer.public_key], []);
  });

  await step('and heals with a word', async () => {
    await button(page, 'Remove all').click();
    await button(page, 'Confirm and apply').waitFor();
    await admin.look('waits-for-a-word');
    assert.ok(STRANGER in await shown(), 'nothing is removed before');
    await button(page, 'Confirm and apply').click();
    await until('the kernel has what is declared', async () => {
      assert.deepEqual(await shown(), { [peer.public_key]: peer.allowed_ips });
      return true;
    });
    await says(page, '#drift', /The node is as declared/);
    await talks();
    await admin.look('healed');
  });
});
