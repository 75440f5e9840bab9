// Everything about nodes: the table, adding one, its page, drift, and its end.
import { assert, fleet, story, until } from '../story.mjs';

const [berlin, image, script] = fleet.nodes;
const pathOf = (page) => new URL(page.url()).pathname;
const main = (page) => page.locator('main');
const button = (page, name) => page.getByRole('button', { name, exact: true });

// Presses something and waits for the page it leads to.
async function leads(page, name, path) {
  await button(page, name).click();
  await page.waitForURL((url) => url.pathname === path);
}

// Waits until the page says it.
function says(page, what) {
  return until(`the page says ${what}`, async () => {
    const text = await main(page).innerText();
    return typeof what === 'string' ? text.includes(what) : what.test(text);
  });
}

// What the agent of a node has, by public key.
async function peersOn(node) {
  const { status, body } = await fleet.agent(node, 'GET', `/wg/${node.interface}/dump`);
  assert.equal(status, 200, JSON.stringify(body));
  return new Map(body.peers.map((peer) => [peer.public_key, peer]));
}

await story('nodes', async ({ step, visitor }) => {
  const admin = await visitor();
  await admin.signIn();
  const { page } = admin;

  await step('the table has what is wrong first, and names as names', async () => {
    await admin.open('/nodes');
    const rows = page.locator('tbody tr');
    assert.equal(await rows.count(), fleet.nodes.length);
    const first = await rows.first().innerText();
    assert.ok(first.includes(script.name) && first.includes('offline'), first);
    await admin.showsAsText(fleet.hostile.nodes);
    await until('what goes through a node is told', async () => {
      const busy = await page.locator(`#node-${berlin.id}`).innerText();
      return /[1-9][\d.]* [kMG]bit\/s \/ /.test(busy);
    });
    await admin.look('nodes');
    await page.getByRole('link', { name: 'Name', exact: true }).click();
    await page.waitForURL(/sort=name/);
    assert.ok((await rows.last().innerText()).includes(berlin.name));
    await page.getByLabel('Name or agent URL').fill('berlin');
    await button(page, 'Filter').click();
    await page.waitForURL(/q=berlin/);
    assert.equal(await rows.count(), 1);
  });

  await step('a row changes without reloading', async () => {
    await admin.open('/nodes');
    await page.evaluate(() => { window.sameDocument = true; });
    const row = page.locator(`#node-${berlin.id}`);
    await fleet.killAgent(berlin);
    await until('the row tells', async () => /offline/.test(await row.innerText()));
    await fleet.startAgent(berlin);
    await until('the row tells', async () => /online/.test(await row.innerText()));
    assert.equal(await page.evaluate(() => window.sameDocument), true, 'it was reloaded');
  });

  const { agent_url: url, secret, interface: wg } = fleet.spare;
  await step('a wrong secret is said to be wrong before anything is created', async () => {
    await admin.open('/nodes');
    await page.getByRole('link', { name: 'Add Node' }).click();
    await page.waitForURL(/\/nodes\/new$/);
    await admin.look('add');
    await page.getByLabel('Name').fill(berlin.name);
    await page.getByLabel('Agent URL').fill(url);
    await page.getByLabel('WireGuard Interface').fill(wg);
    await page.getByLabel('Endpoint').fill('vpn.example.com:51820');
    await page.getByLabel('IP Pool CIDR').fill('10.77.0.0/24');
    await button(page, 'Test Connection').click();
    await says(page, 'no secret to test with');
    await page.getByLabel('Shared Secret').fill('a secret that nobody else has');
    await button(page, 'Test Connection').click();
    await says(page, /secret: no/);
    assert.match(await page.locator('#tested').innerText(), /does not work/);
    await admin.look('wrong-secret');
    assert.equal((await fleet.rest('GET', '/nodes')).total, fleet.nodes.length);
  });

  await step('a name that is taken is said beside it, and nothing typed is lost', async () => {
    await page.getByLabel('Shared Secret').fill(secret);
    await button(page, 'Test Connection').click();
    await says(page, 'The connection works.');
    await admin.expects([409], async () => {
      await button(page, 'Create').click();
      await page.locator('#h-name [role=alert]').waitFor();
    });
    assert.match(await page.locator('#h-name').innerText(), /berlin-1/);
    assert.equal(await page.getByLabel('Agent URL').inputValue(), url);
    assert.equal(await page.getByLabel('IP Pool CIDR').inputValue(), '10.77.0.0/24');
    assert.equal(await page.getByLabel('Shared Secret').inputValue(), secret);
    await admin.look('name-taken');
  });

  const added = { ...fleet.spare, name: 'hand-made' };
  await step('the node is created and comes online', async () => {
    await page.getByLabel('Name').fill(added.name);
    await button(page, 'Create').click();
    await page.waitForURL((at) => /^\/nodes\/[0-9a-f-]{36}$/.test(at.pathname));
    added.id = pathOf(page).split('/').at(-1);
    await says(page, 'hand-made was added.');
    await fleet.awaitStatus(added, 'online');
    await says(page, /online/);
    await button(page, 'Test Connection').click();
    await says(page, 'The connection works.');
    assert.ok(!(await page.content()).includes(secret), 'the secret is in the page');
  });

  await step('somebody else edits it meanwhile', async () => {
    await admin.open(`/nodes/${added.id}/edit`);
    await admin.look('edit');
    await page.getByLabel('Weight').fill('70');
    await page.getByLabel('Labels').fill('region=eu\ntier=test');
    await fleet.rest('PATCH', `/nodes/${added.id}`, { max_peers: 55 });
    await admin.expects([412], async () => {
      await button(page, 'Save').click();
      await page.locator('#refused').waitFor();
    });
    assert.match(await page.locator('#refused').innerText(), /somebody else/i);
    assert.equal(await page.getByLabel('Weight').inputValue(), '70');
    await says(page, 'Saved meanwhile: 55');
    await admin.look('edited-meanwhile');
    await page.getByLabel('Max Peers').fill('55');
    await leads(page, 'Save', `/nodes/${added.id}`);
    const node = await fleet.rest('GET', `/nodes/${added.id}`);
    assert.deepEqual([node.weight, node.max_peers, node.labels], [70, 55, { region: 'eu', tier: 'test' }]);
  });

  await step('an edit that is refused says which field', async () => {
    await admin.open(`/nodes/${added.id}/edit`);
    await page.getByLabel('IP Pool CIDR').fill('10.77.0.0/99');
    await admin.expects([400], async () => {
      await button(page, 'Save').click();
      await page.locator('#h-ip_pool_cidr [role=alert]').waitFor();
    });
    assert.equal(await page.getByLabel('IP Pool CIDR').inputValue(), '10.77.0.0/99');
  });

  await step('it is disabled and enabled', async () => {
    await admin.open(`/nodes/${added.id}`);
    await button(page, 'Disable').click();
    await says(page, 'hand-made is disabled.');
    await fleet.awaitStatus(added, 'disabled');
    await says(page, /The node can't be compared/);
    await admin.look('disabled');
    await button(page, 'Enable').click();
    await says(page, 'hand-made is enabled.');
    await fleet.awaitStatus(added, 'online');
    await admin.open('/nodes');
    await button(page, `Disable ${added.name}`).click();
    await says(page, 'hand-made is disabled.');
    assert.equal(pathOf(page), '/nodes');
    await button(page, `Enable ${added.name}`).click();
    await fleet.awaitStatus(added, 'online');
  });

  await step('peers that nobody declared are adopted, one and then all', async () => {
    await admin.open(`/nodes/${added.id}`);
    await says(page, 'Peers nobody declared: 2');
    const preshared = 'GGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGg=';
    await page.getByRole('link', { name: /^Adopt / }).first().click();
    await page.getByLabel('Name').fill('found by hand');
    await page.getByLabel('Preshared key').fill('mistyped');
    await admin.look('adopt');
    await admin.expects([400], async () => {
      await button(page, 'Adopt').click();
      await page.locator('#refused').waitFor();
    });
    assert.equal(await page.getByLabel('Name').inputValue(), 'found by hand');
    await page.getByLabel('Preshared key').fill(preshared);
    await leads(page, 'Adopt', `/nodes/${added.id}`);
    await says(page, 'It is the peer “found by hand” now.');
    await says(page, 'Peers nobody declared: 1');
    const [known] = (await fleet.rest('GET', `/peers?node_id=${added.id}`)).items;
    assert.deepEqual([known.has_preshared_key, known.preshared_key_known], [true, true]);
    await admin.open(`/peers/${known.id}/edit`);
    assert.ok(!(await page.content()).includes(preshared), 'the key is shown again');
    await admin.open(`/nodes/${added.id}`);
    await button(page, 'Adopt all').click();
    await says(page, /adopted from now on/);
    await until('both are peers', async () => (await fleet.rest('GET', `/peers?node_id=${added.id}`)).total === 2);
    await says(page, 'The node is as declared.');
  });

  const peers = await fleet.rest('GET', `/peers?node_id=${image.id}`);
  const robbed = peers.items.find(({ name }) => fleet.hostile.peers[1] === name);
  await step('drift is shown field by field', async () => {
    const declared = new Set(peers.items.map((peer) => peer.public_key));
    const before = await peersOn(image);
    const thief = [...before.values()].find((peer) => !declared.has(peer.public_key));
    // The agent gives nobody's address away: it is let go of first, and taken before that is mended.
    const give = (key, addresses) => fleet.agent(
      image, 'PUT', `/wg/${image.interface}/peers/${encodeURIComponent(key)}`, { allowed_ips: addresses },
    );
    await until('the addresses are another one\'s', async () => {
      await give(robbed.public_key, []);
      const { status } = await give(thief.public_key, [...thief.allowed_ips, ...robbed.allowed_ips]);
      return status === 200;
    });
    await admin.open(`/nodes/${image.id}`);
    await says(page, robbed.public_key);
    await until('its addresses are missed', async () => {
      const text = await page.locator('#drift tbody', { hasText: robbed.public_key }).innerText();
      return /Allowed IPs/.test(text) && text.includes(robbed.allowed_ips[0]);
    });
    await admin.look('drift');
  });

  await step('removal waits for a word, and is then applied', async () => {
    await button(page, 'Remove all').click();
    await says(page, /That waits until you confirm the plan/);
    await button(page, 'Confirm and apply').waitFor();
    await admin.look('waits-for-a-word');
    const waits = await peersOn(image);
    assert.ok(waits.size > peers.total - 2, 'nothing was removed yet');
    await button(page, 'Confirm and apply').click();
    await page.locator('main > .notice').waitFor();
    await until('the node is as declared', async () => {
      const now = await peersOn(image);
      const mended = now.get(robbed.public_key)?.allowed_ips ?? [];
      return robbed.allowed_ips.every((address) => mended.includes(address))
        && [...now.keys()].every((key) => peers.items.some((peer) => peer.public_key === key));
    });
    await says(page, 'The node is as declared.');
    await admin.look('node');
  });

  await step('a secret is generated, shown once, and not yet held by the agent', async () => {
    await admin.open(`/nodes/${added.id}/secret`);
    await admin.look('secret');
    await button(page, 'Generate a secret').click();
    const shown = page.locator('#secret');
    await shown.waitFor();
    const drawn = await shown.innerText();
    assert.ok(drawn.length >= 40, drawn);
    await admin.look('secret-generated');
    await button(page, 'Complete').click();
    await says(page, 'The agent does not take it yet.');
    await admin.open(`/nodes/${added.id}`);
    assert.ok(!(await page.content()).includes(drawn), 'the secret is shown again');
    await admin.open(`/nodes/${added.id}/secret`);
    await page.getByLabel(/second one/).fill(secret);
    await leads(page, 'Complete', `/nodes/${added.id}`);
    await fleet.awaitStatus(added, 'online');
  });

  await step('a viewer sees all of it and changes nothing', async () => {
    const viewer = await visitor();
    await viewer.signIn(fleet.tokens.viewer);
    await viewer.open('/nodes');
    await viewer.showsAsText(fleet.hostile.nodes);
    assert.equal(await main(viewer.page).getByRole('button').count(), 1, 'only the filter');
    await viewer.open(`/nodes/${image.id}`);
    await says(viewer.page, 'The node is as declared.');
    assert.equal(await viewer.page.locator('main form').count(), 0);
    await viewer.expects([403], () => viewer.page.goto(`/nodes/${image.id}/edit`));
  });

  await step('a node is deleted, with what becomes of its peers', async () => {
    await admin.open(`/nodes/${added.id}`);
    await page.getByRole('link', { name: 'Delete', exact: true }).click();
    await page.waitForURL(/\/delete$/);
    await says(page, /must be migrated first/);
    await admin.look('delete');
    await page.getByLabel('Forget them').check();
    await leads(page, 'Delete this node', '/nodes');
    await says(page, 'hand-made was deleted. Peers forgotten: 2.');
    assert.equal(await page.locator('tbody tr').count(), fleet.nodes.length);
    assert.equal((await peersOn(added)).size, 2, 'they are left on the node');
  });

  await step('a generated secret is shown once, with what to do', async () => {
    await admin.open('/nodes/new');
    await page.getByLabel('Name').fill('with a new secret');
    await page.getByLabel('Agent URL').fill(url);
    await page.getByLabel('WireGuard Interface').fill(wg);
    await admin.expects([201], async () => {
      await button(page, 'Create').click();
      await page.locator('#secret').waitFor();
    });
    const drawn = await page.locator('#secret').innerText();
    await admin.look('created');
    await page.getByRole('link', { name: 'To the node' }).click();
    await page.waitForURL((at) => /^\/nodes\/[0-9a-f-]{36}$/.test(at.pathname));
    await says(page, 'with a new secret');
    assert.ok(!(await page.content()).includes(drawn), 'the secret is shown again');
    await says(page, /error/);
    await admin.look('wrong-secret-node');
  });
});
