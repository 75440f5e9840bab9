// What axe-core finds wrong with a page for those who can't see it, or can't use a mouse.
import { axeSource } from './tools.mjs';

const GRAVE = ['serious', 'critical'];

// One line for each node with a serious or critical violation.
export async function violations(page) {
  // Once for each document. The page's policy does not bind the debugger.
  await page.evaluate(`if (!window.axe) { ${axeSource} }`);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return found.violations
    .filter(({ impact }) => GRAVE.includes(impact))
    .flatMap(({ id, impact, help, nodes }) => nodes.map(({ target, html, failureSummary }) => {
      const why = failureSummary?.replace(/\s+/g, ' ') ?? '';
      return `axe ${impact}: ${id}: ${help}\n    at ${target.join(' ')}: ${html.slice(0, 200)}\n    ${why}`;
    }));
}
