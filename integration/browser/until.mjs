// Waiting for what happens elsewhere, and never for ever.

export const SOON_MS = 20_000;
const BETWEEN_TRIES_MS = 50;

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// What `work` comes to; fails when that takes longer than `ms`.
export async function within(ms, what, work) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

// Calls `check` until it gives something true, and gives that. What `check` throws is what it last
// found missing: it is told when the time is over.
export async function until(what, check, ms = SOON_MS) {
  const deadline = Date.now() + ms;
  for (;;) {
    let last = '';
    try {
      const found = await within(Math.max(deadline - Date.now(), 1), what, check());
      if (found) return found;
    } catch (error) {
      last = `: ${error.message}`;
    }
    if (Date.now() >= deadline) throw new Error(`not within ${ms} ms: ${what}${last}`);
    await pause(BETWEEN_TRIES_MS);
  }
}
