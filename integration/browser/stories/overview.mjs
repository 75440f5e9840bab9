// What is wrong, at a glance, and without reloading.
import { assert, fleet, story, until } from '../story.mjs';

await story('overview', async ({ step, visitor }) => {
  const operator = await visitor();
  await operator.signIn();
  const { page } = operator;

  await step('it shows the fleet and what is not well, names as names', async () => {
    await operator.open('/');
    const text = await page.locator('main').innerText();
    assert.match(text, /offline/i);
    assert.match(text, /failed/i);
    assert.match(text, /pending/i);
    await operator.showsAsText([fleet.nodes[2].name]);
    const refusing = page.locator('table', { hasText: 'Pending' }).getByRole('row').filter({ hasText: fleet.nodes[1].name });
    assert.match(await refusing.innerText(), /1 peer failed: \S/);
    await operator.look('overview');
  });

  await step('many peers added at once are one line, and what happened before stays', async () => {
    const [node] = fleet.nodes;
    const peers = Array.from({ length: 37 }, (_, number) => ({ name: `rack-${number}`, node_id: node.id }));
    await operator.open('/');
    const events = page.locator('ol.events');
    assert.match(await events.innerText(), /carla-tablet/);
    await fleet.rest('POST', '/peers/bulk/create', { peers });
    await until('they are told', async () => /berlin-1: (3[7-9]|[4-9]\d) peers added/.test(await events.innerText()));
    await until('they are applied', async () => /berlin-1: (3[7-9]|[4-9]\d) peers are applied/.test(await events.innerText()));
    const text = await events.innerText();
    assert.match(text, /carla-tablet/);
    assert.doesNotMatch(text, /rack-/);
    await operator.look('many-at-once');
  });

  await step('a node that goes offline is seen without reloading', async () => {
    const [node] = fleet.nodes;
    await operator.open('/');
    // Gone when the document is another one.
    await page.evaluate(() => { window.sameDocument = true; });
    const before = await page.locator('main').innerText();
    assert.ok(!offline(before, node.name), before);
    await fleet.killAgent(node);
    await fleet.awaitStatus(node, 'offline');
    await until('the page tells', async () => offline(await page.locator('main').innerText(), node.name));
    assert.equal(await page.evaluate(() => window.sameDocument), true, 'it was reloaded');
    await operator.look('one-more-offline');
    await fleet.startAgent(node);
    await fleet.awaitStatus(node, 'online');
    await until('the page tells', async () => !offline(await page.locator('main').innerText(), node.name));
  });

  await step('what is watched goes on after a restart of the controller', async () => {
    const [node] = fleet.nodes;
    // The stream breaks off, and is asked for while nobody listens.
    await fleet.restartController();
    // A page that asks again and again is left before what it complained of is let go of.
    await page.goto('/sign-in');
    operator.forget();
    await operator.signIn();
    await operator.open('/');
    await operator.showsAsText([fleet.nodes[2].name]);
    await fleet.awaitStatus(node, 'online');
  });

  await step('a viewer sees it too', async () => {
    const viewer = await visitor();
    await viewer.signIn(fleet.tokens.viewer);
    await viewer.open('/');
    await viewer.showsAsText([fleet.nodes[2].name]);
  });
});

// Whether the part that tells what is wrong names that node beside "offline". Old events do too, later on.
function offline(text, name) {
  const wrong = text.split(/recent events/i)[0];
  return wrong.split('\n').some((line, at, lines) => {
    const around = lines.slice(Math.max(at - 1, 0), at + 3).join(' ');
    return line.includes(name) && /offline/i.test(around);
  });
}
