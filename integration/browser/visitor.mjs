// Somebody in front of a browser: a context of its own with one page in it, watched.
import { mkdirSync } from 'node:fs';

import { violations } from './axe.mjs';
import { fleet } from './fleet.mjs';
import { until } from './until.mjs';
import { Watch } from './watch.mjs';

const ACTION_MS = 10_000;
const NAVIGATION_MS = 20_000;

// How a page is looked at.
const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 360, height: 740 };
const VARIANTS = {
  dark: { colorScheme: 'dark', size: WIDE },
  narrow: { colorScheme: 'light', size: NARROW },
  // Last: it is what a visitor begins with, and is left with.
  light: { colorScheme: 'light', size: WIDE },
};

export class Visitor {
  static async in(browser, story, options = {}) {
    const visitor = new Visitor();
    visitor.story = story;
    visitor.context = await browser.newContext({
      baseURL: fleet.origin,
      viewport: WIDE,
      colorScheme: 'light',
      locale: 'en-GB',
      timezoneId: 'UTC',
      acceptDownloads: true,
      ...options,
    });
    visitor.context.setDefaultTimeout(ACTION_MS);
    visitor.context.setDefaultNavigationTimeout(NAVIGATION_MS);
    visitor.watch = await Watch.over(visitor.context, () => fleet.origin);
    visitor.page = await visitor.context.newPage();
    visitor.#findStreams();
    return visitor;
  }

  // Goes there; fails when the answer is not 200. A live page follows events by then. It never comes to
  // rest: wait for what you need to see.
  async open(path) {
    const answer = await this.page.goto(path, { waitUntil: 'load' });
    if (answer.status() !== 200) throw new Error(`GET ${path}: ${answer.status()}`);
    if (await this.page.locator('[data-live]').count() > 0) {
      await until(`${path} follows events`, () => this.#stream?.response());
    }
    this.check();
    return this.page;
  }

  // What the document that is shown has asked of /live.
  #stream;

  #findStreams() {
    this.page.on('framenavigated', (frame) => {
      if (frame === this.page.mainFrame()) this.#stream = undefined;
    });
    this.page.on('request', (request) => {
      if (request.url() === `${fleet.origin}/live`) this.#stream = request;
    });
  }

  // Signs in, by default as the administrator.
  async signIn(token = fleet.tokens.admin) {
    await this.page.goto('/sign-in');
    await this.page.getByLabel(/token/i).fill(token);
    await this.page.getByRole('button', { name: /sign in/i }).click();
    await this.page.waitForURL((url) => url.pathname !== '/sign-in');
    this.check();
    return this;
  }

  // Refusals that are meant to come: these statuses are no complaint while `work` runs, and one of
  // them must come.
  expects(statuses, work) {
    return this.watch.expects(statuses, work);
  }

  // Lets go of what the browser complained of since the last time: after a disturbance that was meant.
  forget() {
    this.watch.forget();
  }

  // Fails with everything the browser complained of since the last time.
  check() {
    this.watch.check();
  }

  // Holds the page as it stands to axe-core and to a screen of 360 px, and keeps pictures of it:
  // target/screenshots/STORY/NAME-{light,dark,narrow}.png
  async look(name) {
    const folder = `${process.env.WGFLEET_SCREENSHOTS}/${this.story}`;
    mkdirSync(folder, { recursive: true });
    const found = new Set();
    for (const [variant, { colorScheme, size }] of Object.entries(VARIANTS)) {
      await this.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await this.page.setViewportSize(size);
      await this.page.screenshot({
        path: `${folder}/${name}-${variant}.png`, fullPage: true, animations: 'disabled', caret: 'hide',
      });
      for (const line of await violations(this.page)) found.add(`${variant}: ${line}`);
      const beyond = await this.page.evaluate(tooWide);
      if (beyond) found.add(`${variant}: wider than the screen: ${beyond}`);
    }
    await this.page.emulateMedia({ colorScheme: 'light', reducedMotion: null });
    if (found.size > 0) throw new Error(`${name} is hard to use:\n  ${[...found].join('\n  ')}`);
    this.check();
  }

  // Presses Tab until `locator` has the focus, and holds it to showing that.
  async tabTo(locator, most = 60) {
    for (let times = 0; times < most; times += 1) {
      if (await locator.evaluate((element) => element === document.activeElement)) {
        const isSeen = await locator.evaluate((element) => element.matches(':focus-visible'));
        if (!isSeen) throw new Error(`${locator} has the focus and does not show it`);
        return;
      }
      await this.page.keyboard.press('Tab');
    }
    throw new Error(`${locator} is not reached with ${most} times Tab`);
  }

  // Fails unless each of `names` is seen as the text it is. What became of a script among them, the
  // watch tells.
  async showsAsText(names) {
    const text = await this.page.evaluate(() => {
      const fields = [...document.querySelectorAll('input, textarea, option')];
      return document.body.innerText + fields.map((field) => `\n${field.value} ${field.textContent}`).join('');
    });
    const missing = names.filter((name) => !text.includes(name));
    if (missing.length > 0) throw new Error(`not on ${this.page.url()}: ${JSON.stringify(missing)}`);
    this.check();
  }

  close() {
    return this.context.close();
  }
}

// Runs in the page: what makes it scroll sideways, if anything does.
function tooWide() {
  const most = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= most) return '';
  const scrolls = (element) => /auto|scroll|hidden/.test(getComputedStyle(element).overflowX);
  const inside = (element) => {
    for (let up = element.parentElement; up && up !== document.body; up = up.parentElement) {
      if (scrolls(up)) return true;
    }
    return false;
  };
  const beyond = [...document.body.querySelectorAll('*')]
    .filter((element) => element.getBoundingClientRect().right > most + 1 && !inside(element))
    .map((element) => `<${element.localName} class="${element.className}">`);
  return `${document.documentElement.scrollWidth} px of ${most}; ${[...new Set(beyond)].slice(0, 5).join(', ')}`;
}
