// Where playwright and axe are: integration/playwright installs them outside the sources.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const home = process.env.WGFLEET_PLAYWRIGHT;
if (!home) throw new Error('WGFLEET_PLAYWRIGHT is not set: it is what integration/playwright prints');
const require = createRequire(`${home}/`);

export const { chromium } = require('playwright-core');
export const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
