/* The behaviour of the pages. Markup says what it wants by attributes; nothing here knows a page.
 *
 * Live elements
 *   <tr id="node-7" data-live="node:7" hx-get="/nodes/7/row" hx-trigger="live" hx-swap="morph:outerHTML">
 *   data-live        topics it shows, as /live tells them (see pages/live.rs)
 *   data-live-every  seconds after which it is asked for in any case
 *   data-live-least  seconds between two such requests at least; 1 when it is left out
 *   data-live-many   on an element around many live ones, with an hx-get of all of them: asked for once
 *                    when more than a dozen inside are due together
 *   The page makes at most eight such requests a
 *   second, however much happens. A hidden tab asks for nothing and holds no stream; when it is shown
 *   again, everything live is asked for once. An element that is no more (404) is taken away.
 *
 * Plots            <div data-plot="/address" data-label="…"> of the macro `plot`; needs uplot.js
 * Times            <time data-ago> counts on by itself
 * Copying          <button data-copy="#element"> copies a field's value or an element's text; where the
 *                  browser gives pages no clipboard (plain HTTP from another host), selects it instead
 * Dialogs          <button data-opens="#dialog">, and inside it <button data-closes>
 * Choosing rows    <form data-select> around the table: <input type="checkbox" data-all>, and
 *                  <input type="checkbox" name="id" value="…"> in rows; [data-selected] shows how many,
 *                  [data-needs-selected] (a button, a fieldset) is disabled while that is none. What is
 *                  ticked outlives live updates
 * Files            <input type="file" data-into="#textarea"> reads a text file into a field; give it no name
 * Progress         <form data-once>: its buttons are disabled while it is on its way
 * Showing secrets  <button data-reveals="#password"> shows what a password field holds, and hides it
 */
"use strict";

(() => {
  const SECOND = 1000;
  const each = (root, selector, act) => root.querySelectorAll(selector).forEach(act);
  /* To screen readers, which keep silent about a text that stays the same: it goes first. */
  const say = (sentence) => {
    const place = document.getElementById("said");
    if (!place) return;
    place.textContent = "";
    setTimeout(() => { place.textContent = sentence; }, 50);
  };

  const toast = (sentence, isWrong = true) => {
    const place = document.getElementById("toast");
    if (!place) return;
    place.classList.toggle("wrong", isWrong);
    place.textContent = sentence;
    place.hidden = false;
    clearTimeout(toast.timer);
    toast.timer = setTimeout(() => { place.hidden = true; }, 8 * SECOND);
  };

  /* Times, in the words of pages/show.rs: up to so many seconds, in units of so many. */
  const LENGTHS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [730 * 86400, 86400, "d"], [Infinity, 365 * 86400, "y"]];
  const relative = (seconds) => {
    const length = Math.abs(seconds);
    if (length < 5) return "now";
    const [, size, unit] = LENGTHS.find(([most]) => length < most);
    const text = `${Math.floor(length / size)} ${unit}`;
    return seconds < 0 ? `in ${text}` : `${text} ago`;
  };
  const countOn = () => each(document, "time[data-ago]", (time) => {
    const text = relative(Math.floor((Date.now() - Date.parse(time.dateTime)) / SECOND));
    if (time.textContent !== text) time.textContent = text;
  });

  /* Live elements. */
  const MANY = 12;
  const AT_ONCE = 8;
  const topics = new Set();
  const due = new Set();
  const asked = new WeakMap();
  let source = null;
  let retry = 0;

  const ask = (element) => {
    asked.set(element, Date.now());
    due.delete(element);
    htmx.trigger(element, "live");
  };

  const least = (element) => Number(element.dataset.liveLeast || 1) * SECOND;

  const isConcerned = (element) =>
    topics.has("all") || element.dataset.live.split(" ").some((topic) => topics.has(topic));

  const collect = () => {
    const now = Date.now();
    each(document, "[data-live], [data-live-every]", (element) => {
      const every = Number(element.dataset.liveEvery || 0) * SECOND;
      if (!asked.has(element)) asked.set(element, now);
      const isOld = every > 0 && now - asked.get(element) >= every;
      if (isOld || (topics.size > 0 && element.dataset.live && isConcerned(element))) due.add(element);
    });
    topics.clear();
  };

  const together = () => {
    const rooms = new Map();
    for (const element of due) {
      const room = element.parentElement?.closest("[data-live-many]");
      if (room) rooms.set(room, [...(rooms.get(room) || []), element]);
    }
    for (const [room, elements] of rooms) {
      if (elements.length <= MANY && !due.has(room)) continue;
      elements.forEach((element) => due.delete(element));
      due.add(room);
    }
  };

  const refresh = () => {
    if (document.hidden || !window.htmx) return;
    collect();
    together();
    const now = Date.now();
    let left = AT_ONCE;
    for (const element of due) {
      if (!element.isConnected) { due.delete(element); continue; }
      if (left === 0) break;
      const isBusy = element.classList.contains("htmx-request") || element.querySelector("dialog[open]");
      if (isBusy || now - (asked.get(element) || 0) < least(element)) continue;
      ask(element);
      left -= 1;
    }
  };

  const listen = () => {
    if (source || document.hidden || !document.querySelector("[data-live]")) return;
    source = new EventSource("/live");
    source.onmessage = (message) => {
      retry = 0;
      message.data.split(" ").forEach((topic) => topics.add(topic));
    };
    source.onerror = () => {
      // It comes back by itself, unless it was refused.
      if (source && source.readyState === EventSource.CLOSED) {
        source = null;
        retry = Math.min(retry + 1, 6);
        setTimeout(() => { topics.add("all"); listen(); }, 5 * SECOND * retry);
      }
    };
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else {
      topics.add("all");
      listen();
      refresh();
      countOn();
    }
  });
  window.addEventListener("pagehide", () => { source?.close(); source = null; });
  window.addEventListener("pageshow", () => { if (document.readyState === "complete") listen(); });

  /* Refusals and lost connections of what htmx asked for. */
  document.addEventListener("htmx:responseError", (event) => {
    const { xhr, elt } = event.detail;
    const isLive = elt.dataset && elt.dataset.live;
    if (xhr.status === 404 && isLive) elt.remove();
    else if (!isLive && !xhr.getResponseHeader("HX-Redirect")) toast(xhr.responseText || "That did not work.");
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (!(event.detail.elt.dataset && event.detail.elt.dataset.live)) toast("The controller does not answer. Nothing was changed.");
  });

  /* Choosing rows. */
  const chosen = new WeakMap();
  const rowBoxes = (form) => form.querySelectorAll("tbody input[type=checkbox][name]");
  const count = (form) => {
    const boxes = [...rowBoxes(form)];
    const ticked = boxes.filter((box) => box.checked);
    chosen.set(form, new Set(ticked.map((box) => box.value)));
    each(form, "[data-selected]", (place) => { place.textContent = String(ticked.length); });
    each(form, "[data-needs-selected]", (it) => { it.disabled = ticked.length === 0; });
    each(form, "[data-all]", (all) => {
      all.checked = boxes.length > 0 && ticked.length === boxes.length;
      all.indeterminate = ticked.length > 0 && ticked.length < boxes.length;
    });
  };
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form[data-select]");
    if (form && event.target.matches("[data-all]")) {
      rowBoxes(form).forEach((box) => { box.checked = event.target.checked; });
    }
    if (form) count(form);
    if (event.target.matches?.("input[type=file][data-into]")) readFile(event.target);
  });
  const keepChosen = () => each(document, "form[data-select]", (form) => {
    const kept = chosen.get(form);
    if (kept) rowBoxes(form).forEach((box) => { box.checked = kept.has(box.value); });
    count(form);
  });

  const readFile = async (input) => {
    const place = document.querySelector(input.dataset.into);
    if (place && input.files[0]) place.value = await input.files[0].text();
  };

  /* Buttons. */
  const labels = new WeakMap();
  const copied = (button) => {
    say("Copied");
    const shown = labels.get(button) || { label: button.textContent };
    clearTimeout(shown.timer);
    button.textContent = "Copied";
    shown.timer = setTimeout(() => { button.textContent = shown.label; labels.delete(button); }, 2 * SECOND);
    labels.set(button, shown);
  };
  const copy = async (button) => {
    const from = document.querySelector(button.dataset.copy);
    if (!from) return;
    try {
      await navigator.clipboard.writeText(from.value ?? from.textContent);
      copied(button);
    } catch {
      if (from.select) { from.focus(); from.select(); } else getSelection().selectAllChildren(from);
      toast("It is selected: copy it with Ctrl+C.", false);
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button");
    if (!button) return;
    if (button.dataset.copy) copy(button);
    if (button.dataset.opens) document.querySelector(button.dataset.opens)?.showModal();
    if ("closes" in button.dataset) button.closest("dialog")?.close();
    if (button.dataset.reveals) {
      const field = document.querySelector(button.dataset.reveals);
      field.type = field.type === "password" ? "text" : "password";
      button.setAttribute("aria-pressed", String(field.type === "text"));
    }
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[data-once]")) {
      setTimeout(() => each(event.target, "button", (button) => { button.disabled = true; }));
    }
  });
  // A page that comes back out of the browser's memory has its buttons again.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) each(document, "form[data-once] button", (button) => { button.disabled = false; });
  });

  /* Plots. */
  const UNITS = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];
  const rate = (bytes) => {
    let bits = bytes * 8;
    let unit = 0;
    while (bits >= 1000 && unit < UNITS.length - 1) { bits /= 1000; unit += 1; }
    return `${unit === 0 || bits >= 100 ? Math.round(bits) : bits.toFixed(1)} ${UNITS[unit]}`;
  };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const plots = [];
  const two = (number) => String(number).padStart(2, "0");
  const day = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}`;
  const times = (_, ticks) => ticks.map((at) => {
    const date = new Date(at * SECOND);
    return clock(date) === "00:00" ? day(date).slice(5) : clock(date);
  });
  /* A point between two gaps would be no line. */
  const alone = (plot, index) => {
    const column = plot.data[index];
    return [...column.keys()].filter((i) => column[i] != null && column[i - 1] == null && column[i + 1] == null);
  };

  const options = (place) => {
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
    const line = (label, name) => ({
      label, stroke: colour(name), width: 1.5, spanGaps: false, points: { show: true, size: 5, fill: colour(name), filter: alone },
      value: (_, bytes) => (bytes == null ? "–" : rate(bytes)),
    });
    return {
      width: Math.max(place.clientWidth, 200), height: 220,
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.05 : 1] } },
      axes: [{ ...axis, values: times }, { ...axis, size: 96, values: (_, ticks) => ticks.map(rate) }],
      series: [{ label: "Time", value: (_, at) => (at == null ? "–" : `${day(new Date(at * SECOND))} ${clock(new Date(at * SECOND))}`) }, line("Download", "--down"), line("Upload", "--up")],
    };
  };

  const draw = (plot, data) => {
    const columns = [data.at, data.down, data.up];
    const isEmpty = [...data.down, ...data.up].every((bytes) => bytes == null);
    each(plot.element, "[data-none]", (none) => { none.hidden = !isEmpty; });
    const highest = (column) => column.reduce((most, bytes) => Math.max(most, bytes || 0), 0);
    plot.place.setAttribute("aria-label",
      `${plot.element.dataset.label}: download at most ${rate(highest(data.down))}, upload at most ${rate(highest(data.up))}`);
    if (plot.drawn) plot.drawn.setData(columns);
    else plot.drawn = new uPlot(options(plot.place), columns, plot.place);
  };

  const load = async (plot) => {
    const address = new URL(plot.element.dataset.plot, location.origin);
    address.searchParams.set("range", plot.range);
    plot.loaded = Date.now();
    try {
      const answer = await fetch(address, { headers: { accept: "application/json" } });
      if (answer.ok) draw(plot, await answer.json());
    } catch { /* The next turn tries again. */ }
  };

  const startPlots = () => each(document, "[data-plot]", (element) => {
    if (!window.uPlot) return;
    const plot = { element, place: element.querySelector(".canvas"), range: "day", drawn: null, loaded: 0 };
    plots.push(plot);
    each(element, "[data-range]", (button) => button.addEventListener("click", () => {
      plot.range = button.dataset.range;
      each(element, "[data-range]", (other) => other.setAttribute("aria-pressed", String(other === button)));
      load(plot);
    }));
    new ResizeObserver(() => plot.drawn?.setSize({ width: Math.max(plot.place.clientWidth, 200), height: 220 })).observe(plot.place);
    load(plot);
  });
  const again = (plot) => { plot.drawn?.destroy(); plot.drawn = null; load(plot); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach(again));

  const start = () => {
    keepChosen();
    startPlots();
    listen();
    // At once, since a morphed box is unticked until then; again when it has settled, for what was replaced.
    document.addEventListener("htmx:afterSwap", keepChosen);
    document.addEventListener("htmx:afterSettle", () => { keepChosen(); countOn(); });
    setInterval(() => {
      refresh();
      if (document.hidden) return;
      plots.filter((plot) => Date.now() - plot.loaded >= 30 * SECOND).forEach(load);
    }, SECOND);
    setInterval(() => { if (!document.hidden) countOn(); }, 5 * SECOND);
  };
  if (document.querySelector("[data-signed-in]")) start();
})();
