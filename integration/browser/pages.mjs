// The pages there are: pages.json, `{node}` and `{peer}` standing for ids.
import { readFileSync } from 'node:fs';

import { fleet } from './fleet.mjs';

export const pages = JSON.parse(readFileSync(new URL('pages.json', import.meta.url), 'utf8'));

// The path with the ids of one node and one peer.
export async function filled(pattern) {
  let path = pattern;
  for (const kind of ['node', 'peer']) {
    if (!path.includes(`{${kind}}`)) continue;
    const { items } = await fleet.rest('GET', `/${kind}s?limit=1`);
    path = path.replaceAll(`{${kind}}`, items[0].id);
  }
  return path;
}

// What a picture of it is called.
export function pictureOf(pattern) {
  const name = pattern.replace(/[{}]/g, '').replace(/[^a-z0-9]+/gi, '-').replace(/^-|-$/g, '');
  return name || 'overview';
}
