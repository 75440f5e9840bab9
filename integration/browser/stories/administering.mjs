// What administrators alone do: audit, tokens, webhooks, backup; and the API's pages, for all.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import { assert, fleet, story, until } from '../story.mjs';

const pathOf = (page) => new URL(page.url()).pathname;

// An endpoint for webhooks on this host, which answers what it is told to.
async function endpoint() {
  const heard = [];
  const answers = { status: 500 };
  const server = createServer((request, answer) => {
    heard.push({ kind: request.headers['x-wgfleet-event'], signature: request.headers['x-wgfleet-signature'] });
    request.resume();
    answer.writeHead(answers.status);
    answer.end();
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}/hook`, heard, answers, close: () => server.close() };
}

await story('administering', async ({ step, visitor }) => {
  const admin = await visitor();
  await admin.signIn();
  const { page } = admin;
  const main = page.locator('main');

  await step('every part of the navigation is reached by keyboard, and shows that', async () => {
    await admin.open('/');
    const links = await page.getByRole('navigation', { name: 'Main' }).getByRole('link').all();
    assert.equal(links.length, 8);
    for (const link of links) {
      await admin.tabTo(link);
      const outline = await link.evaluate((it) => getComputedStyle(it).outlineStyle);
      assert.notEqual(outline, 'none', `${await link.innerText()} shows no focus`);
    }
    await page.keyboard.press('Enter');
    await page.waitForURL('**/backup');
  });

  await step('the skip link leads past the navigation', async () => {
    await admin.open('/audit');
    const skip = page.getByRole('link', { name: 'Skip to content' });
    await admin.tabTo(skip);
    assert.ok((await skip.boundingBox()).x >= 0, 'it is not seen');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  });

  await step('the audit says who, what, when, from where and what changed', async () => {
    const [node] = fleet.nodes;
    await fleet.rest('PATCH', `/nodes/${node.id}`, { weight: 321 });
    await admin.open('/audit');
    await admin.showsAsText([...fleet.hostile.tokens, ...fleet.hostile.nodes]);
    const row = page.getByRole('row').filter({ hasText: 'node.update' }).first();
    assert.match(await row.innerText(), /weight/);
    assert.equal(await row.locator('del').first().innerText(), '100');
    assert.equal(await row.locator('ins').first().innerText(), '321');
    await admin.look('audit');
    await fleet.rest('PATCH', `/nodes/${node.id}`, { weight: 100 });
  });

  await step('the audit is filtered, also without scripts', async () => {
    await admin.open('/audit');
    await page.getByLabel('What').fill('token.create');
    await page.getByRole('button', { name: 'Filter' }).click();
    await page.waitForURL(/action=token.create/);
    const actions = await page.locator('tbody tr td:nth-child(3)').allInnerTexts();
    assert.ok(actions.length >= 2 && actions.every((it) => it === 'token.create'), `${actions}`);
    await page.getByRole('link', { name: 'Show all' }).click();
    await page.waitForURL('**/audit');
  });

  await step('a token is made, shown once, used and revoked', async () => {
    await admin.open('/tokens');
    await admin.showsAsText(fleet.hostile.tokens);
    await page.getByRole('link', { name: 'New token' }).click();
    await page.getByLabel('Name').fill('a guest');
    await page.getByLabel('Role').selectOption('viewer');
    await page.getByLabel('Only nodes with these labels').fill('not a label');
    await admin.look('token-new');
    await admin.expects([400], async () => {
      await page.getByRole('button', { name: 'Make the token' }).click();
      await page.getByRole('alert').first().waitFor();
    });
    assert.equal(await page.getByLabel('Name').inputValue(), 'a guest');
    await page.getByLabel('Only nodes with these labels').fill('region=eu');
    await page.getByRole('button', { name: 'Make the token' }).click();
    const secret = await page.locator('#secret').innerText();
    assert.match(secret, /^wgf_/);
    await admin.look('token-made');
    await page.getByRole('link', { name: 'Done' }).click();
    assert.ok(!(await page.content()).includes(secret), 'the token is shown again');

    const guest = await visitor();
    await guest.signIn(secret);
    assert.match(await guest.page.locator('header').innerText(), /a guest/);
    await admin.open('/tokens');
    const used = (name) => page.getByRole('row').filter({ hasText: name }).locator('td').nth(5).innerText();
    assert.match(await used('a guest'), /^(now|\d+ s ago)$/);
    assert.equal(await used('a viewer'), 'never');
    await admin.look('tokens');
    await page.getByRole('row').filter({ hasText: 'a guest' }).getByRole('link', { name: /revoke/i }).click();
    await admin.look('token-revoke');
    await page.getByRole('button', { name: 'Revoke it' }).click();
    await page.getByRole('status').filter({ hasText: 'a guest' }).waitFor();
    await guest.page.goto('/');
    assert.equal(pathOf(guest.page), '/sign-in');
    await guest.close();
  });

  await step('the last administrator can not lock everybody out', async () => {
    await admin.open('/tokens');
    const own = page.getByRole('row').filter({ hasText: '(yours)' });
    await own.getByRole('link', { name: /revoke/i }).click();
    await admin.expects([409], async () => {
      await page.getByRole('button', { name: 'Revoke it' }).click();
      await page.locator('#refused').waitFor();
    });
    await admin.open('/tokens');
  });

  const hook = await endpoint();
  await step('a webhook is added, and its secret shown once', async () => {
    await admin.open('/webhooks');
    await admin.showsAsText(fleet.hostile.webhooks);
    await admin.look('webhooks');
    await page.getByRole('link', { name: 'New webhook' }).click();
    await page.getByLabel('Name').fill('billing');
    await page.getByLabel('URL').fill('http://example.com/not-here');
    await admin.look('webhook-new');
    await admin.expects([400], async () => {
      await page.getByRole('button', { name: 'Add the webhook' }).click();
      await page.locator('#refused').waitFor();
    });
    await page.getByLabel('URL').fill(hook.url);
    await page.getByLabel('peer.created').check();
    await page.getByRole('button', { name: 'Add the webhook' }).click();
    const secret = await page.locator('#secret').innerText();
    assert.ok(secret.length >= 16);
    await admin.look('webhook-made');
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByRole('heading', { name: 'billing' }).waitFor();
    assert.ok(!(await page.content()).includes(secret), 'the secret is shown again');
  });

  await step('a ping that fails says why, and one that arrives that it did', async () => {
    await page.getByRole('button', { name: 'Send a ping' }).click();
    await page.getByRole('status').filter({ hasText: /failed/i }).waitFor();
    hook.answers.status = 204;
    await page.getByRole('button', { name: 'Send a ping' }).click();
    await page.getByRole('status').filter({ hasText: /answered/i }).waitFor();
    assert.ok(hook.heard.every(({ signature }) => /^t=\d+,v1=[0-9a-f]{64}$/.test(signature)));
  });

  await step('deliveries appear by themselves, the failing ones with their reason', async () => {
    await page.evaluate(() => { window.sameDocument = true; });
    hook.answers.status = 503;
    await fleet.rest('POST', '/peers', { name: 'told of', node_id: fleet.nodes[0].id });
    await until('the failure is shown', async () => /503/.test(await main.innerText()) && /failing/.test(await main.innerText()));
    await admin.look('webhook-failing');
    hook.answers.status = 204;
    await until('the success is shown', async () => /peer\.created/.test(await page.locator('tr', { hasText: 'delivered' }).first().innerText()));
    assert.equal(await page.evaluate(() => window.sameDocument), true, 'it was reloaded');
    await admin.look('webhook');
  });

  await step('a webhook is changed, switched off and deleted', async () => {
    await page.getByRole('link', { name: 'Edit' }).click();
    assert.equal(await page.getByLabel('peer.created').isChecked(), true);
    await page.getByLabel('peer.deleted').check();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('status').filter({ hasText: 'changed' }).waitFor();
    assert.match(await main.innerText(), /peer\.created, peer\.deleted/);
    await page.getByRole('button', { name: 'Disable' }).click();
    await page.getByRole('button', { name: 'Enable' }).waitFor();
    await page.getByRole('link', { name: 'Delete' }).click();
    await admin.look('webhook-delete');
    await page.getByRole('button', { name: 'Delete it' }).click();
    await page.waitForURL('**/webhooks');
    assert.equal(await page.getByRole('row').filter({ hasText: 'billing' }).count(), 0);
    hook.close();
  });

  await step('the API is described, and its operations can be linked to', async () => {
    await admin.open('/api');
    const first = page.locator('details.operation').first();
    await first.locator('> summary').focus();
    await page.keyboard.press('Enter');
    assert.equal(await first.getAttribute('open'), '');
    await admin.look('api');
    await admin.open('/');
    await admin.open('/api#createPeer');
    await until('the operation is unfolded', () => page.locator('#createPeer').isVisible());
    const text = await page.locator('#createPeer').innerText();
    assert.match(text, /no_free_address/);
    assert.match(text, /persistent_keepalive/);
    const answer = await page.request.get('/api/v1/openapi.json');
    assert.equal(answer.status(), 200);
  });

  await step('a backup is downloaded, and then it is said when', async () => {
    await admin.open('/backup');
    await admin.look('backup');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: /download/i }).click(),
    ]);
    const bytes = readFileSync(await download.path());
    assert.match(download.suggestedFilename(), /\.backup$/);
    assert.equal(bytes.subarray(0, 15).toString(), 'SQLite format 3');
    await admin.open('/backup');
    assert.doesNotMatch(await page.locator('dl.facts').innerText(), /none/);
  });

  await step('who is no administrator sees none of it and is refused', async () => {
    for (const role of ['operator', 'viewer']) {
      const other = await visitor();
      await other.signIn(fleet.tokens[role]);
      const links = await other.page.getByRole('navigation', { name: 'Main' }).getByRole('link').allInnerTexts();
      assert.deepEqual(links, ['Overview', 'Nodes', 'Peers', 'API']);
      for (const path of ['/audit', '/tokens', '/tokens/new', '/webhooks', '/webhooks/new', '/backup']) {
        await other.expects([403], async () => {
          const answer = await other.page.goto(path);
          assert.equal(answer.status(), 403, `${role} ${path}`);
        });
      }
      await other.look(`refused-${role}`);
      await other.open('/api');
      await other.close();
    }
  });
});
