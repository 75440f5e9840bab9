// Copying a configuration, and what is shown once: with the clipboard, and without one.
import { assert, fleet, story, until } from '../story.mjs';

const [node] = fleet.nodes;
const spoken = (page) => page.locator('#said').innerText();

// What the clipboard holds, as another page of the same browser reads it.
async function held(visitor) {
  const other = await visitor.context.newPage();
  await other.goto('/sign-in');
  await other.bringToFront();
  const text = await other.evaluate(() => navigator.clipboard.readText());
  await other.close();
  return text;
}

// Presses the only button that copies, and holds what it says to what it did.
async function copies(visitor, expected) {
  const { page } = visitor;
  const button = page.getByRole('button', { name: 'Copy', exact: true });
  await page.evaluate(() => document.getElementById('said').replaceChildren());
  await button.click();
  await until('it is said', async () => (await spoken(page)) === 'Copied');
  assert.equal(await held(visitor), expected);
  await page.bringToFront();
  await button.waitFor();
}

await story('copying', async ({ step, visitor }) => {
  const admin = await visitor({ permissions: ['clipboard-read', 'clipboard-write'] });
  await admin.signIn();
  const { page } = admin;
  const once = () => page.locator('#secret').innerText();
  const peer = (await fleet.rest('GET', '/peers?q=anna-laptop')).items[0];
  const { body: config } = await fleet.call('GET', `/peers/${peer.id}/config`);

  await step('a configuration is in the clipboard as it is in the file', async () => {
    assert.match(config, /^# .*\n\[Interface\]\nPrivateKey = /);
    await admin.open(`/peers/${peer.id}`);
    assert.equal(await page.locator('#said').getAttribute('aria-live'), 'polite');
    await copies(admin, config);
  });

  await step('pressed twice, it still says what it does', async () => {
    await page.getByRole('button', { name: 'Copy', exact: true }).dblclick();
    await page.getByRole('button', { name: 'Copied', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Copy', exact: true }).waitFor();
  });

  await step('a configuration that is shown once', async () => {
    await admin.open('/peers/new');
    await page.getByLabel('Name').fill('not kept');
    await page.getByLabel(/^Keep the private key/).uncheck();
    await admin.expects([200, 201], async () => {
      await page.getByRole('button', { name: 'Add peer' }).click();
      await page.locator('#config').waitFor();
    });
    await copies(admin, await page.locator('#config').evaluate((it) => it.textContent));
    assert.match(await held(admin), /PrivateKey = \S{43}=/);
  });

  await step('a token', async () => {
    await admin.open('/tokens/new');
    await page.getByLabel('Name').fill('to be copied');
    await page.getByRole('button', { name: 'Make the token' }).click();
    const token = await once();
    assert.match(token, /^wgf_/);
    await copies(admin, token);
  });

  await step('the secret of a webhook, and that of a node', async () => {
    await admin.open('/webhooks/new');
    await page.getByLabel('Name').fill('to be copied');
    await page.getByLabel('URL').fill('http://127.0.0.1:9/');
    await page.getByRole('button', { name: 'Add the webhook' }).click();
    await copies(admin, await once());
    await admin.open(`/nodes/${node.id}/secret`);
    await page.getByRole('button', { name: 'Generate a secret' }).click();
    await copies(admin, await once());
  });

  await step('without a clipboard it is selected, and the keyboard copies it', async () => {
    const far = await admin.context.newPage();
    // As it is where the page came over plain HTTP from another host.
    await far.addInitScript(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
    await far.goto(`/peers/${peer.id}`);
    await far.getByRole('button', { name: 'Copy', exact: true }).click();
    await far.getByRole('alert').filter({ hasText: 'It is selected' }).waitFor();
    assert.equal(await far.evaluate(() => getSelection().toString()), config.trimEnd());
    assert.equal(await spoken(far), '', 'nothing was copied yet');
    await far.keyboard.press('Control+C');
    assert.equal((await held(admin)).trimEnd(), config.trimEnd());
    await far.close();
  });
});
