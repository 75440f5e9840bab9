// Peers: found, added, changed, moved and deleted, one by one and many at once.
import { readFileSync } from 'node:fs';

import { assert, fleet, story, until } from '../story.mjs';

const [first, second] = fleet.nodes;
const pathOf = (page) => new URL(page.url()).pathname;
const rowOf = (page, name) => page.locator('tbody tr').filter({ has: page.getByRole('link', { name, exact: true }) });
const namesOf = (page) => page.locator('tbody th a').allInnerTexts();

async function peerNamed(name) {
  const { items } = await fleet.rest('GET', `/peers?q=${encodeURIComponent(name)}`);
  const found = items.find((peer) => peer.name === name);
  assert.ok(found, `no peer ${name}`);
  return found;
}

async function send(page, button) {
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), button.click()]);
}

async function download(page, link) {
  const [file] = await Promise.all([page.waitForEvent('download'), link.click()]);
  return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
}

async function isOver(page) {
  await page.getByRole('link', { name: /all configurations/i }).waitFor();
}

await story('peers', async ({ step, visitor }) => {
  const operator = await visitor();
  await operator.signIn();
  const { page } = operator;

  await step('the table shows every peer, names as names', async () => {
    await operator.open('/peers');
    await operator.showsAsText(fleet.hostile.peers);
    const { total } = await fleet.rest('GET', '/peers?limit=1');
    assert.equal(await page.locator('tbody tr').count(), total);
    const failed = await rowOf(page, 'carla-tablet').innerText();
    assert.match(failed, /failed/);
    await operator.look('peers');
  });

  await step('search, filters and order', async () => {
    await page.getByLabel('Search').fill('laptop');
    await send(page, page.getByRole('button', { name: 'Show' }));
    assert.deepEqual(await namesOf(page), ['anna-laptop', 'dora-laptop']);
    await page.getByLabel('Node', { exact: true }).fill(first.name);
    await send(page, page.getByRole('button', { name: 'Show' }));
    assert.deepEqual(await namesOf(page), ['anna-laptop']);
    await operator.open('/peers?sync=failed');
    assert.deepEqual(await namesOf(page), ['carla-tablet']);
    await operator.open('/peers?label=team%3Dsales');
    assert.equal((await namesOf(page)).length, 2);
    await operator.open('/peers?state=disabled');
    assert.deepEqual(await namesOf(page), ['bert-phone']);
    await operator.open('/peers');
    const before = await namesOf(page);
    await send(page, page.getByRole('columnheader', { name: 'Name' }).getByRole('link'));
    assert.deepEqual(await namesOf(page), before.reverse());
    await operator.expects([400], () => page.goto('/peers?q=kept&label=nonsense'));
    assert.match(await page.getByRole('alert').first().innerText(), /no label/);
    assert.equal(await page.getByLabel('Search').inputValue(), 'kept');
  });

  await step('a peer is added with no more than a name', async () => {
    await operator.open('/peers/new');
    await operator.look('new');
    await page.getByLabel('Name', { exact: true }).fill('fresh-peer');
    await page.getByLabel('Node', { exact: true }).fill('nowhere');
    await operator.expects([400], () => send(page, page.getByRole('button', { name: 'Add peer' })));
    assert.match(await page.getByRole('alert').first().innerText(), /no node named nowhere/);
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'fresh-peer');
    await operator.look('new-refused');
    await page.getByLabel('Node', { exact: true }).fill('');
    await page.getByLabel('Quota', { exact: true }).fill('50 GiB');
    await page.getByLabel('Expires (UTC)').fill('2099-01-01T00:00');
    await send(page, page.getByRole('button', { name: 'Add peer' }));
    assert.match(await page.getByRole('status').first().innerText(), /fresh-peer was added on /);
    const made = await peerNamed('fresh-peer');
    assert.equal(pathOf(page), `/peers/${made.id}`);
    assert.equal(made.quota_bytes, 50 * 2 ** 30);
  });

  await step('its page has a code to scan, a file and a plot', async () => {
    const code = page.getByRole('img', { name: /QR code/ });
    await until('the code is drawn', () => code.evaluate((image) => image.complete && image.naturalWidth > 100));
    const { name, bytes } = await download(page, page.getByRole('link', { name: /download/i }));
    assert.equal(name, 'fresh-peer.conf');
    assert.match(bytes.toString(), /^PrivateKey = .{44}$/m);
    assert.equal((await page.locator('#config').innerText()).trimEnd(), bytes.toString().trimEnd());
    await page.locator('.uplot canvas').waitFor();
    await page.getByRole('button', { name: 'Week' }).click();
    assert.match(await page.locator('#history, [aria-labelledby=history]').first().innerText(), /history/i);
    await operator.look('peer');
  });

  await step('what happens to it is seen without reloading', async () => {
    const made = await peerNamed('fresh-peer');
    await page.evaluate(() => { window.sameDocument = true; });
    await fleet.rest('POST', `/peers/${made.id}/disable`);
    await until('its page tells', async () => /disabled/.test(await page.locator('#now').innerText()));
    await operator.open('/peers?q=fresh-peer');
    await page.evaluate(() => { window.sameDocument = true; });
    const box = page.getByRole('checkbox', { name: 'Choose fresh-peer' });
    await box.check();
    // Every state of the table that a click or a look could meet: read after each change of it, as soon as
    // the scripts that made the change are done.
    await box.evaluate(({ value }) => {
      window.ticks = [];
      const look = () => window.ticks.push(document.querySelector(`input[name=id][value="${value}"]`)?.checked);
      new MutationObserver(look).observe(document.querySelector('#rows').closest('table'), {
        attributes: true, characterData: true, childList: true, subtree: true,
      });
    });
    await fleet.rest('POST', `/peers/${made.id}/enable`);
    await until('its row tells', async () => !/disabled/.test(await rowOf(page, 'fresh-peer').innerText()));
    assert.equal(await page.evaluate(() => window.sameDocument), true, 'it was reloaded');
    assert.equal(await box.isChecked(), true);
    const ticks = await page.evaluate(() => window.ticks);
    assert.ok(ticks.length > 0 && ticks.every((ticked) => ticked), `${ticks}`);
  });

  await step('it is edited, and nobody overwrites what another changed', async () => {
    const made = await peerNamed('fresh-peer');
    await operator.open(`/peers/${made.id}/edit`);
    await operator.look('edit');
    await page.getByLabel('Name', { exact: true }).fill('edited-peer');
    await page.getByLabel('Labels').fill('team=ops');
    await fleet.rest('PATCH', `/peers/${made.id}`, { persistent_keepalive: 21 });
    await operator.expects([412], () => send(page, page.getByRole('button', { name: 'Save' })));
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'edited-peer');
    await send(page, page.getByRole('link', { name: /as it is now/ }));
    await page.getByLabel('Name', { exact: true }).fill('edited-peer');
    await page.getByLabel('Labels').fill('team=ops');
    await send(page, page.getByRole('button', { name: 'Save' }));
    const now = await fleet.rest('GET', `/peers/${made.id}`);
    assert.equal(now.name, 'edited-peer');
    assert.deepEqual(now.labels, { team: 'ops' });
    assert.equal(now.persistent_keepalive, 21);
    assert.equal(now.quota_bytes, made.quota_bytes);
  });

  await step('it is moved, disabled, enabled and deleted', async () => {
    const made = await peerNamed('edited-peer');
    const [from, to] = made.node_id === first.id ? [first, second] : [second, first];
    await page.getByRole('button', { name: 'Move…' }).click();
    const dialog = page.getByRole('dialog');
    await operator.look('move');
    await dialog.getByLabel('Move to the node').fill(to.name);
    await send(page, dialog.getByRole('button', { name: 'Move', exact: true }));
    assert.match(await page.getByRole('status').first().innerText(), /new configuration/);
    assert.equal((await fleet.rest('GET', `/peers/${made.id}`)).node_id, to.id, `not from ${from.name}`);
    await send(page, page.getByRole('button', { name: 'Disable' }));
    await send(page, page.getByRole('button', { name: 'Enable' }));
    assert.equal((await fleet.rest('GET', `/peers/${made.id}`)).enabled, true);
    await page.getByRole('button', { name: 'Delete…' }).click();
    await send(page, page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }));
    assert.equal(pathOf(page), '/peers');
    assert.equal((await fleet.call('GET', `/peers/${made.id}`)).status, 404);
  });

  await step('a key that is not kept is shown once', async () => {
    await operator.open('/peers/new');
    await page.getByLabel('Name', { exact: true }).fill('shown-once');
    await page.getByLabel('Node', { exact: true }).fill(first.name);
    await page.getByLabel(/Keep the private key/).uncheck();
    await send(page, page.getByRole('button', { name: 'Add peer' }));
    const code = page.getByRole('img', { name: /QR code/ });
    await until('the code is drawn', () => code.evaluate((image) => image.complete && image.naturalWidth > 100));
    const { name, bytes } = await download(page, page.getByRole('link', { name: /download/i }));
    assert.equal(name, 'shown-once.conf');
    const [, key] = /^PrivateKey = (.{44})$/m.exec(bytes.toString());
    await operator.look('shown-once');
    await send(page, page.getByRole('link', { name: /to the peer/ }));
    assert.ok(!(await page.content()).includes(key), 'it is shown again');
    await operator.look('peer-without-key');
  });

  await step('many are added by a pattern', async () => {
    await operator.open('/peers/many');
    await operator.look('many');
    await page.getByLabel('Names').fill('desk-{n}');
    await page.getByLabel('How many').fill('120');
    await page.getByLabel('Node', { exact: true }).fill(first.name);
    await send(page, page.getByRole('button', { name: 'Add peers' }));
    await isOver(page);
    assert.match(await page.locator('#progress').innerText(), /120 of 120 done, 120 added, 0 refused/);
    assert.equal(await page.locator('tbody tr').count(), 100);
    await send(page, page.getByRole('link', { name: 'Next' }));
    assert.equal(await page.locator('tbody tr').count(), 20);
    const { name, bytes } = await download(page, page.getByRole('link', { name: /all configurations/i }));
    assert.equal(name, 'wgfleet-peers.zip');
    assert.equal(bytes.subarray(0, 4).toString('latin1'), 'PK\x03\x04');
    const files = new Set(bytes.toString('latin1').match(/desk-\d+\.conf/g));
    assert.equal(files.size, 120);
    assert.equal((await fleet.rest('GET', '/peers?limit=1&q=desk-')).total, 120);
  });

  await step('and by CSV from a file, of which a bad line is refused alone', async () => {
    await operator.open('/peers/many');
    await page.getByLabel('Those of a CSV').check();
    const csv = `name,node,mtu\nsheet-1,${first.name},1400\nsheet-bad,${first.name},much\n"<b>sheet, 3</b>",,\nsheet-4,nowhere,\n`;
    await page.getByLabel('A file').setInputFiles({ name: 'peers.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
    await until('it is read', async () => (await page.locator('#f-csv').inputValue()) === csv);
    await send(page, page.getByRole('button', { name: 'Add peers' }));
    await isOver(page);
    const text = await page.locator('#progress').innerText();
    assert.match(text, /2 of 4 were added/);
    assert.match(text, /line 3/);
    assert.match(text, /no whole number/);
    assert.match(text, /no node named nowhere/);
    await operator.showsAsText(['<b>sheet, 3</b>']);
    await operator.look('many-done');
    await operator.open('/peers/many');
    await page.getByLabel('Those of a CSV').check();
    await page.locator('#f-csv').fill('colour\nred\n');
    await operator.expects([400], () => send(page, page.getByRole('button', { name: 'Add peers' })));
    assert.match(await page.getByRole('alert').first().innerText(), /no column "colour"/);
    assert.equal(await page.locator('#f-csv').inputValue(), 'colour\nred\n');
  });

  await step('pages forth and back', async () => {
    await operator.open('/peers?q=desk-');
    assert.match(await page.locator('.pages').innerText(), /50 of 120/);
    const firstNames = await namesOf(page);
    await send(page, page.getByRole('link', { name: 'Next' }));
    await send(page, page.getByRole('link', { name: 'Next' }));
    assert.equal((await namesOf(page)).length, 20);
    await send(page, page.getByRole('link', { name: 'Previous' }));
    await send(page, page.getByRole('link', { name: 'Previous' }));
    assert.deepEqual(await namesOf(page), firstNames);
  });

  await step('one thing is done to many that are ticked', async () => {
    await operator.open('/peers?q=desk-');
    const disable = page.getByRole('button', { name: 'Disable' });
    assert.equal(await disable.isDisabled(), true);
    await page.getByRole('checkbox', { name: 'Choose desk-1', exact: true }).check();
    await page.getByRole('checkbox', { name: 'Choose desk-10', exact: true }).check();
    await operator.look('chosen');
    await send(page, disable);
    assert.match(await page.getByRole('status').first().innerText(), /2 peers were disabled/);
    assert.equal(new URL(page.url()).search, '?q=desk-');
    assert.equal((await fleet.rest('GET', '/peers?limit=1&q=desk-&enabled=false')).total, 2);

    await page.getByRole('checkbox', { name: 'Choose desk-1', exact: true }).check();
    await page.getByRole('button', { name: 'Move…' }).click();
    const move = page.getByRole('dialog', { name: /move/i });
    await move.getByLabel('Move to the node').fill(second.name);
    await send(page, move.getByRole('button', { name: 'Move', exact: true }));
    assert.match(await page.getByRole('status').first().innerText(), /1 peer was moved/);
    assert.equal((await peerNamed('desk-1')).node_id, second.id);

    // One of them is no more.
    await operator.open('/peers?q=desk-');
    await page.getByRole('checkbox', { name: 'Choose all of this page' }).check();
    assert.match(await page.locator('.chosen').innerText(), /50 chosen/);
    // When it is sent, lest a live row takes its own value back before.
    await page.evaluate(() => document.addEventListener('submit', () => {
      document.querySelector('tbody input:checked').value = '00000000-0000-7000-8000-000000000000';
    }, { capture: true, once: true }));
    await page.getByRole('button', { name: 'Delete…' }).click();
    await send(page, page.getByRole('dialog', { name: /delete/i }).getByRole('button', { name: 'Delete', exact: true }));
    const text = await page.locator('main').innerText();
    assert.match(text, /49 of 50 peers were deleted/);
    assert.match(text, /no such peer/i);
    assert.equal((await fleet.rest('GET', '/peers?limit=1&q=desk-')).total, 71);
    await operator.look('deleted');
  });

  await step('a burst of changes makes few requests', async () => {
    // What the page itself was told.
    await page.addInitScript(() => {
      window.told = new Set();
      window.EventSource = class extends EventSource {
        constructor(...about) {
          super(...about);
          this.addEventListener('message', ({ data }) => data.split(' ').forEach((topic) => window.told.add(topic)));
        }
      };
    });
    await operator.open('/peers?q=desk-');
    // Nothing is told of one that was disabled before.
    const ids = await page.locator('tbody tr').evaluateAll((rows) => rows
      .filter((row) => !/disabled/.test(row.innerText))
      .map((row) => row.querySelector('input').value));
    const { length: all } = await page.locator('tbody tr').all();
    assert.ok(all === 50 && ids.length > 40, `${ids.length} of ${all}`);
    let requests = 0;
    page.on('request', (request) => { if (/\/(row|rows)(\?|$)/.test(request.url())) requests += 1; });
    // The page hears all of them before it may look, however long they take.
    await page.evaluate(() => Object.defineProperty(document, 'hidden', { value: true, configurable: true }));
    const before = requests;
    await Promise.all(ids.map((id) => fleet.rest('POST', `/peers/${id}/disable`)));
    const hasHeard = (those) => those.every((id) => window.told.has(`peer:${id}`));
    await until('the page has heard of all', () => page.evaluate(hasHeard, ids));
    assert.equal(requests, before, 'a hidden page asks');
    await page.evaluate(() => { delete document.hidden; });
    await until('all rows tell', async () => (await page.locator('tbody .chip', { hasText: 'disabled' }).count()) === all);
    assert.ok(requests - before <= 3, `${requests - before} requests for ${ids.length} rows`);
  });

  await step('a viewer sees peers and changes nothing', async () => {
    const viewer = await visitor();
    await viewer.signIn(fleet.tokens.viewer);
    await viewer.open('/peers');
    assert.equal(await viewer.page.getByRole('checkbox').count(), 0);
    const peer = await peerNamed('anna-laptop');
    await viewer.open(`/peers/${peer.id}`);
    assert.equal(await viewer.page.getByRole('img', { name: /QR code/ }).count(), 0);
    assert.ok(!(await viewer.page.content()).includes('PrivateKey'));
    await viewer.look('viewer');
  });
});
