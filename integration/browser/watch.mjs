// Everything of a browser context that must not happen: errors on the console and in scripts, violated
// policies, failed or refused requests, requests to strangers, dialogs. Kept until asked for.

// Chromium says this of every status from 400 on, which is judged by the answer itself.
const ABOUT_A_STATUS = /^Failed to load resource: the server responded with a status of \d+/;

export class Watch {
  #complaints = [];
  #expected = new Set();
  #origin;

  static async over(context, origin) {
    const watch = new Watch();
    watch.#origin = origin;
    await context.exposeBinding('wgfleetViolation', ({ page }, text) => {
      watch.#add(page, `Content-Security-Policy: ${text}`);
    });
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        const { violatedDirective, blockedURI, sourceFile, lineNumber, sample } = event;
        const where = `${sourceFile ?? ''}:${lineNumber ?? ''}`;
        window.wgfleetViolation(`${violatedDirective} forbids ${blockedURI} at ${where} ${sample ?? ''}`);
      });
    });
    context.on('page', (page) => watch.#follow(page));
    return watch;
  }

  // These statuses are no complaint while `work` runs, and one of them must come.
  async expects(statuses, work) {
    const seen = new Set();
    this.#expected = new Set(statuses);
    this.seen = seen;
    try {
      const result = await work();
      if (!statuses.some((status) => seen.has(status))) {
        throw new Error(`no answer was ${statuses.join(' or ')}: ${[...seen].join(', ') || 'none'}`);
      }
      return result;
    } finally {
      this.#expected = new Set();
      this.seen = undefined;
    }
  }

  forget() {
    this.#complaints = [];
  }

  // Fails with everything that was seen since the last time.
  check() {
    const complaints = this.#complaints.splice(0);
    if (complaints.length > 0) throw new Error(`the browser complains:\n  ${complaints.join('\n  ')}`);
  }

  #add(page, text) {
    this.#complaints.push(`${text} (on ${page ? page.url() : 'no page'})`);
  }

  #follow(page) {
    const add = (text) => this.#add(page, text);
    page.on('console', (message) => {
      const isGrave = ['error', 'warning', 'assert'].includes(message.type());
      if (!isGrave || ABOUT_A_STATUS.test(message.text())) return;
      const { url, lineNumber } = message.location();
      add(`console ${message.type()}: ${message.text()} at ${url}:${lineNumber}`);
    });
    page.on('pageerror', (error) => add(`script error: ${error.stack ?? error}`));
    page.on('crash', () => add('the page crashed'));
    page.on('dialog', (dialog) => {
      // Nothing of ours asks this way: some name became a script.
      add(`dialog ${dialog.type()}: ${dialog.message()}`);
      dialog.dismiss().catch(() => {});
    });
    page.on('request', (request) => {
      const url = request.url();
      const isOurs = url.startsWith(`${this.#origin()}/`) || /^(data|blob|about):/.test(url);
      if (!isOurs) add(`request to a stranger: ${url}`);
    });
    page.on('requestfailed', (request) => {
      const { errorText } = request.failure() ?? {};
      // Whoever leaves a page ends what it was loading; a download is no document.
      if (errorText !== 'net::ERR_ABORTED') add(`${request.method()} ${request.url()}: ${errorText}`);
    });
    page.on('response', (response) => {
      const status = response.status();
      this.seen?.add(status);
      if (status < 400 || this.#expected.has(status)) return;
      add(`${response.request().method()} ${response.url()}: ${status}`);
    });
  }
}
