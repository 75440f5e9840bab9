// Who may come in, and who can't make others do anything.
import { createServer } from 'node:http';

import { filled, pages } from '../pages.mjs';
import { assert, fleet, story } from '../story.mjs';

const fieldOf = (page) => page.getByLabel(/token/i);
const buttonOf = (page) => page.getByRole('button', { name: /sign in/i });
const pathOf = (page) => new URL(page.url()).pathname;

async function sessionOf(visitor) {
  const cookies = await visitor.context.cookies(fleet.origin);
  assert.equal(cookies.length, 1, `one cookie: ${cookies.map(({ name }) => name)}`);
  return cookies[0];
}

// Where a request with this cookie, and no browser's help, ends up.
async function landsAt(cookie, path = '/') {
  const answer = await fetch(`${fleet.origin}${path}`, {
    headers: { accept: 'text/html', cookie: `${cookie.name}=${cookie.value}` },
    redirect: 'manual',
    signal: AbortSignal.timeout(10_000),
  });
  return answer.status === 200 ? path : answer.headers.get('location');
}

const [node] = fleet.nodes;

// Paths and fields that would do harm to the first node.
function nodeForms() {
  if (!pages.includes('/nodes/{node}')) return [];
  return [[`/nodes/${node.id}/disable`, {}], [`/nodes/${node.id}/delete`, { peers: 'forget' }]];
}

// A server elsewhere with one page: a form that sends itself.
async function elsewhere(host, action, fields) {
  const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`);
  const html = `<!doctype html><title>elsewhere</title>
    <form method="post" action="${action}">${inputs.join('')}<button>Go</button></form>`;
  const server = createServer((_, answer) => {
    answer.writeHead(200, { 'content-type': 'text/html' });
    answer.end(html);
  });
  await new Promise((done) => server.listen(0, host, done));
  return { url: `http://${host}:${server.address().port}/`, close: () => server.close() };
}

await story('sign-in', async ({ browser, step, visitor }) => {
  const stranger = await visitor();
  const { page } = stranger;

  await step('a stranger is led to the sign-in page from everywhere', async () => {
    for (const pattern of pages) {
      await page.goto(await filled(pattern));
      assert.equal(pathOf(page), '/sign-in', `from ${pattern}`);
    }
    await stranger.look('sign-in');
  });

  await step('the keyboard is enough', async () => {
    await stranger.open('/sign-in');
    await stranger.tabTo(fieldOf(page));
    await stranger.tabTo(buttonOf(page));
  });

  await step('a wrong token is said to be wrong, and is not shown', async () => {
    await stranger.open('/sign-in');
    await fieldOf(page).fill('wgf_this-is-no-token');
    await stranger.expects([401], async () => {
      await buttonOf(page).click();
      await page.getByRole('alert').waitFor();
    });
    assert.match(await page.getByRole('alert').innerText(), /token/i);
    assert.ok(!(await page.content()).includes('this-is-no-token'), 'the token is in the page');
    assert.equal(pathOf(page), '/sign-in');
    await stranger.look('wrong-token');
  });

  let first;
  await step('a cookie from before signing in does not become the session', async () => {
    const fixed = 'A'.repeat(43);
    await stranger.signIn();
    const { name } = await sessionOf(stranger);
    const victim = await visitor();
    await victim.context.addCookies([{ name, value: fixed, url: fleet.origin }]);
    await victim.signIn();
    assert.notEqual((await sessionOf(victim)).value, fixed);
    assert.equal(await landsAt({ name, value: fixed }), '/sign-in');
    // Nor does one that was a session.
    const before = await sessionOf(victim);
    await victim.page.getByRole('button', { name: /sign out/i }).click();
    await victim.page.waitForURL('**/sign-in');
    await victim.context.addCookies([{ name, value: before.value, url: fleet.origin }]);
    await victim.signIn(fleet.tokens.viewer);
    assert.notEqual((await sessionOf(victim)).value, before.value);
    assert.equal(await landsAt(before), '/sign-in');
    await victim.close();
  });

  await step('no script can read the cookie, and no other site sends it', async () => {
    first = await sessionOf(stranger);
    assert.equal(first.name, 'wgfleet_session');
    // The story `tls` has the one that is.
    assert.equal(first.secure, false);
    assert.equal(first.httpOnly, true);
    assert.equal(first.sameSite, 'Strict');
    assert.equal(first.path, '/');
    assert.ok(first.value.length >= 43, `32 random bytes: ${first.value.length} characters`);
    assert.equal(await page.evaluate(() => document.cookie), '');
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    for (const token of Object.values(fleet.tokens)) {
      assert.ok(!kept.includes(token) && !(await page.content()).includes(token), 'the token is kept in the page');
    }
  });

  await step('a form of another origin changes nothing', async () => {
    const { hostname } = new URL(fleet.origin);
    const forms = [
      ['/sign-in', { token: fleet.tokens.viewer }],
      ['/sign-out', {}],
      ...nodeForms(),
    ];
    // Of the same site the browser sends the cookie along, whatever its port; of another it does not.
    for (const host of [hostname, '127.0.0.1']) {
      for (const [path, fields] of forms) {
        const other = await elsewhere(host, `${fleet.origin}${path}`, fields);
        const context = await browser.newContext();
        try {
          await context.addCookies(await stranger.context.cookies());
          const lured = await context.newPage();
          await lured.goto(other.url);
          const answered = lured.waitForResponse((answer) => answer.url() === `${fleet.origin}${path}`);
          await lured.getByRole('button').click();
          const status = (await answered).status();
          assert.ok([403, 303].includes(status), `${host} ${path}: ${status}`);
          if (host === hostname || path === '/sign-in') assert.equal(status, 403, `${host} ${path}`);
          const [cookie] = await context.cookies(fleet.origin);
          assert.equal(cookie?.value, first.value, `${host} ${path} changed the session`);
        } finally {
          await context.close();
          other.close();
        }
      }
    }
    assert.equal((await fleet.rest('GET', `/nodes/${node.id}`)).enabled, true);
    assert.equal(await landsAt(first), '/', 'signed out from elsewhere');
  });

  await step('nor does one of this origin without its own secret', async () => {
    for (const [path, fields] of [['/sign-out', {}], ...nodeForms()]) {
      for (const csrf of ['', 'guessed']) {
        const status = await stranger.expects([403], () => page.evaluate(async ([to, typed]) => {
          const answer = await fetch(to, { method: 'POST', body: new URLSearchParams(typed), redirect: 'manual' });
          return answer.status;
        }, [path, { ...fields, csrf }]));
        assert.equal(status, 403, path);
      }
    }
    assert.equal((await fleet.rest('GET', `/nodes/${node.id}`)).enabled, true);
    assert.equal(await landsAt(first), '/', 'signed out without its secret');
  });

  await step('nobody frames a page', async () => {
    const answer = await page.request.get('/');
    const policy = answer.headers()['content-security-policy'];
    assert.match(policy, /frame-ancestors 'none'/);
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe-/);
    assert.equal(answer.headers()['cache-control'], 'no-store');
    assert.equal(answer.headers()['x-content-type-options'], 'nosniff');
    assert.equal(answer.headers()['referrer-policy'], 'same-origin');
  });

  await step('signing out ends the session, not only the cookie', async () => {
    await stranger.open('/');
    await page.getByRole('button', { name: /sign out/i }).click();
    await page.waitForURL('**/sign-in');
    assert.equal(await landsAt(first), '/sign-in');
    await page.goBack();
    await page.waitForLoadState();
    await page.goto('/');
    assert.equal(pathOf(page), '/sign-in');
  });

  await step('a revoked token ends its session', async () => {
    const made = await fleet.rest('POST', '/tokens', { name: 'soon revoked', role: 'viewer' });
    const guest = await visitor();
    await guest.signIn(made.token);
    await guest.open('/');
    await fleet.rest('DELETE', `/tokens/${made.id}`);
    await guest.page.goto('/');
    assert.equal(pathOf(guest.page), '/sign-in');
  });
});
