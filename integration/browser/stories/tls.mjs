// The pages on https of the controller's own: what is different there, and that nothing else is.
import { filled, pages } from '../pages.mjs';
import { assert, fleet, story, until } from '../story.mjs';

const [node] = fleet.nodes;
const { host, hostname } = new URL(fleet.origin);

// The one cookie that this answer sets: `name`, `value` and its flags, sorted.
async function setBy(answer) {
  const cookies = (await answer.headersArray()).filter(({ name }) => name.toLowerCase() === 'set-cookie');
  assert.equal(cookies.length, 1, JSON.stringify(cookies));
  const [pair, ...flags] = cookies[0].value.split('; ');
  const [name, value] = pair.split('=');
  return { name, value, flags: flags.sort() };
}

// What a form that is posted there is answered.
async function answered(page, path, work) {
  const isIt = (answer) => answer.request().method() === 'POST' && new URL(answer.url()).pathname === path;
  const [answer] = await Promise.all([page.waitForResponse(isIt), work()]);
  return answer;
}

await story('tls', async ({ step, visitor }) => {
  const operator = await visitor();
  const { page } = operator;

  await step('signing in sets a cookie for this host and https alone', async () => {
    assert.match(fleet.origin, /^https:/);
    const set = await setBy(await answered(page, '/sign-in', () => operator.signIn(fleet.tokens.operator)));
    assert.equal(set.name, '__Host-wgfleet_session');
    assert.deepEqual(set.flags, ['HttpOnly', 'Path=/', 'SameSite=Strict', 'Secure']);
    const cookies = await operator.context.cookies();
    assert.equal(cookies.length, 1);
    const [{ name, value, domain, secure, httpOnly, sameSite }] = cookies;
    assert.deepEqual(
      { name, value, domain, secure, httpOnly, sameSite },
      { name: set.name, value: set.value, domain: hostname, secure: true, httpOnly: true, sameSite: 'Strict' },
    );
    assert.equal(await page.evaluate(() => window.isSecureContext), true);
    assert.equal(await page.evaluate(() => document.cookie), '');
  });

  await step('every page comes over https with nothing to complain of', async () => {
    const admin = await visitor();
    await admin.signIn();
    for (const pattern of pages) await admin.open(await filled(pattern));
    await admin.close();
  });

  await step('what happens is seen without reloading', async () => {
    await operator.open('/nodes');
    await page.evaluate(() => { window.sameDocument = true; });
    const row = page.locator(`#node-${node.id}`);
    await fleet.killAgent(node);
    await until('the row tells', async () => /offline/.test(await row.innerText()));
    await fleet.startAgent(node);
    await until('the row tells', async () => /online/.test(await row.innerText()));
    assert.equal(await page.evaluate(() => window.sameDocument), true, 'it was reloaded');
  });

  await step('forms work, as the origin is the same', async () => {
    const disable = page.getByRole('button', { name: `Disable ${node.name}`, exact: true });
    const answer = await answered(page, `/nodes/${node.id}/disable`, () => disable.click());
    assert.equal(answer.status(), 303);
    await page.getByRole('button', { name: `Enable ${node.name}`, exact: true }).waitFor();
    assert.equal((await fleet.rest('GET', `/nodes/${node.id}`)).enabled, false);
  });

  await step('plain http is answered with nothing at all', async () => {
    await assert.rejects(fetch(`http://${host}/sign-in`, { signal: AbortSignal.timeout(10_000) }), { name: 'TypeError' });
  });

  await step('signing out takes the cookie back', async () => {
    const out = () => page.getByRole('button', { name: /sign out/i }).click();
    const set = await setBy(await answered(page, '/sign-out', out));
    assert.equal(set.name, '__Host-wgfleet_session');
    assert.equal(set.value, '');
    assert.ok(set.flags.includes('Max-Age=0') && set.flags.includes('Secure'), `${set.flags}`);
    await page.waitForURL('**/sign-in');
    assert.deepEqual(await operator.context.cookies(), []);
  });
});
