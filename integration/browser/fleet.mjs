// The fleet that a story plays on, as the test that started it told us: its REST API, and what is done
// to its processes and its agents from outside.
import { createInterface } from 'node:readline';

import { SOON_MS, until, within } from './until.mjs';

const told = JSON.parse(process.env.WGFLEET_STORY ?? '{}');

// What a line to the test begins with; everything else on standard output is for people.
const MARK = '@fleet ';
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// Asks the test to do something. Never two at once.
async function ask(request) {
  process.stdout.write(`${MARK}${JSON.stringify(request)}\n`);
  const what = `the test's answer to ${JSON.stringify(request)}`;
  const line = await within(SOON_MS, what, answers.next());
  const answer = JSON.parse(line.value);
  if (answer.error) throw new Error(`${JSON.stringify(request)}: ${answer.error}`);
  return answer;
}

export const fleet = {
  // http://ADDR:PORT, where the controller serves pages and REST API.
  get origin() { return told.origin; },
  // Texts of tokens: `admin`, `operator`, `viewer`.
  tokens: told.tokens,
  // {name, id, agent_url, secret, interface} of each node, in a fixed order; see tests/pages/fleet.rs.
  nodes: told.nodes ?? [],
  // {agent_url, secret, interface} of an agent that is no node yet.
  spare: told.spare,
  // Names that must never be more than text, by what bears them: `nodes`, `peers`, `tokens`, `webhooks`.
  hostile: told.hostile ?? {},
  // Whatever else the test has to say to this story.
  told,

  // The answer of the REST API to the administrator: {status, body}.
  async call(method, path, body) {
    const answer = await fetch(`${told.origin}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${told.tokens.admin}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(told.patience_ms ?? SOON_MS),
    });
    const text = await answer.text();
    const isJson = (answer.headers.get('content-type') ?? '').includes('json');
    return { status: answer.status, body: isJson ? JSON.parse(text) : text };
  },
  // The same for what must succeed: the body.
  async rest(method, path, body) {
    const answer = await fleet.call(method, path, body);
    if (answer.status >= 300) {
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return answer.body;
  },
  // Waits until the controller says that of the node.
  awaitStatus(node, status) {
    return until(`${node.name} is ${status}`, async () => {
      const seen = await fleet.rest('GET', `/nodes/${node.id}`);
      if (seen.status !== status) throw new Error(`it is ${seen.status}: ${seen.status_reason}`);
      return seen;
    });
  },

  // Asks the test of this story for something that others do not know: `{do: 'shown'}`.
  ask,
  // SIGKILL for the agent of that node.
  killAgent: (node) => ask({ do: 'kill_agent', at: node.at }),
  // Starts it again, on the same files and the same address.
  startAgent: (node) => ask({ do: 'start_agent', at: node.at }),
  // SIGTERM for the controller, and a start on the same files and the same address.
  restartController: () => ask({ do: 'restart_controller' }),
  // A signed request to the agent itself, past the controller, such as
  // `fleet.agent(node, 'DELETE', '/wg/wg0/peers/KEY')`; `undefined` of `body` is none.
  agent: (node, method, target, body) => ask({ do: 'agent', at: node.at, method, target, body }),
};
fleet.nodes.forEach((node, at) => { node.at = at; });
if (fleet.spare) fleet.spare.at = fleet.nodes.length;
