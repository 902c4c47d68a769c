"use strict";
// Keeps the page up to date through the API. Data reaches the page as text only, never as markup.

const INTERVAL_MS = 1000;
const TIMEOUT_MS = 5000;
const SHOWN_CHARACTERS_MAX = 262144;
const SHOWN_BYTES_MAX = 4096;
const CHANGES_MAX = 20;
const CHANGE_CHARACTERS_MAX = 300;
const CHANGES_INTERVAL_MS = 250;
const WATCH_RETRY_MS = 5000;

const count = new Intl.NumberFormat();
const rate = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function setText(target, text) {
  // An unchanged node keeps a selection, and a screen reader silent.
  if (target && target.textContent !== text) target.textContent = text;
}

function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 100) return value.toFixed(1) + " s";
  return value < 7200 ? Math.round(value / 60) + " min" : Math.round(value / 3600) + " h";
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return value.toFixed(unit ? 1 : 0) + " " + units[unit];
}

/// Adds line breaks and indentation between the tokens of a JSON text. Tokens stay as they are: parsing and
/// writing again would change numbers beyond 2^53, duplicate members and escapes.
function indentJson(text) {
  let out = "";
  let depth = 0;
  const line = () => "\n" + "  ".repeat(depth);
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;
  let before = "";
  for (const [part] of text.matchAll(token)) {
    if (part === "}" || part === "]") {
      depth -= 1;
      out += before === "{" || before === "[" ? part : line() + part;
    } else {
      if (before === "{" || before === "[" || before === ",") out += line();
      out += part === ":" ? ": " : part;
      if (part === "{" || part === "[") depth += 1;
    }
    before = part;
  }
  return out;
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function hex(view) {
  return Array.from(view, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/// Returns how a body is shown, and what is to be said about that.
function present(buffer) {
  if (buffer.byteLength === 0) return ["", "The value is empty: 0 bytes."];
  const size = bytes(buffer.byteLength);
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(buffer);
  } catch {
    const shown = new Uint8Array(buffer, 0, Math.min(buffer.byteLength, SHOWN_BYTES_MAX));
    const rest = buffer.byteLength > SHOWN_BYTES_MAX ? ", the first " + bytes(SHOWN_BYTES_MAX) + " are shown" : "";
    return [hex(shown), size + " of binary data in hexadecimal" + rest + "."];
  }
  if (text.length > SHOWN_CHARACTERS_MAX) {
    return [text.slice(0, SHOWN_CHARACTERS_MAX), size + ", shown as it is and cut off."];
  }
  if (isJson(text)) return [indentJson(text), size + " of JSON; only spaces and line breaks differ from what was sent."];
  return [text, size + " of text."];
}

function fetchLimited(url) {
  return fetch(url, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
}

/// Returns a value as it came: what stands between its name and the partition, which follows it.
function valueIn(data) {
  const name = '"value":';
  const start = data.indexOf(name);
  return start < 0 ? null : data.slice(start + name.length, data.lastIndexOf(',"partition":'));
}

function changeLine({ name, data, at }) {
  const change = JSON.parse(data);
  const line = element("li");
  const time = element("time", at.toLocaleTimeString());
  time.dateTime = at.toISOString();
  line.append(time, " ", element("strong", name), " ");
  if (name === "reset") {
    const where = change.partitions ? " partitions " + change.partitions.join(", ") : "";
    line.append(change.reason + where);
    return line;
  }
  const where = element("small", change.partition + ":" + change.offset);
  line.append(where, " ", element("b", change.key ?? "base64:" + change.key_base64));
  if (name === "put") {
    const tooLarge = () => change.value_too_large + " bytes, not kept";
    const value = valueIn(data) ?? (change.value_base64 === undefined ? tooLarge() : "base64:" + change.value_base64);
    const cut = value.length > CHANGE_CHARACTERS_MAX ? value.slice(0, CHANGE_CHARACTERS_MAX) + "…" : value;
    line.append(" ", element("span", cut));
  }
  return line;
}

class ViewPanel {
  constructor(root) {
    this.root = root;
    this.name = root.dataset.view;
    this.last = null;
    this.changes = [];
    this.source = null;
    this.root.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.lookUp();
    });
    this.field("changes").hidden = false;
    this.field("changes").addEventListener("toggle", () => this.watch());
    document.addEventListener("visibilitychange", () => this.watch());
    this.watch();
  }

  field(name) {
    return this.root.querySelector('[data-field="' + name + '"]');
  }

  async refresh() {
    const response = await fetchLimited("v1/views/" + this.name + "/status");
    if (!response.ok) throw new Error("the service answers " + response.status);
    this.show(await response.json());
  }

  show(status) {
    const state = this.field("state");
    if (state.textContent !== status.state) {
      setText(document.getElementById("news"), this.name + " is " + status.state);
      state.dataset.state = status.state;
      setText(state, status.state);
    }
    setText(this.field("reason"), status.reason ?? "");
    setText(this.field("detail"), status.detail ?? "");
    this.field("detail").hidden = !status.detail;
    setText(this.field("topic"), status.topic);
    setText(this.field("ready"), status.ready ? "yes" : "no");
    setText(this.field("lag"), count.format(status.lag) + " records");
    setText(this.field("staleness"), seconds(status.staleness_s));
    setText(this.field("keys"), count.format(status.keys_estimated));
    setText(this.field("generation"), count.format(status.generation));
    setText(this.field("disk"), bytes(status.disk_bytes));
    this.showWarnings(status.warnings ?? []);
    this.showRate(status.partitions);
    this.showRestore(status.partitions);
    this.showPartitions(status.partitions);
    this.showEvents(status.events ?? []);
  }

  showRate(partitions) {
    const now = performance.now();
    const positions = partitions.reduce((sum, partition) => sum + (partition.position ?? 0), 0);
    if (this.last) {
      // Positions go back when a topic was recreated; there is no rate then.
      const moved = Math.max(0, positions - this.last.positions);
      setText(this.field("rate"), rate.format(moved / ((now - this.last.now) / 1000)) + " records/s");
    }
    this.last = { now, positions };
  }

  showRestore(partitions) {
    const parts = partitions.filter((partition) => partition.restore);
    this.field("restore").hidden = parts.length === 0;
    if (parts.length === 0) return;
    const weight = (part) => Math.max(1, part.restore.target - (part.log_start ?? 0));
    const all = parts.reduce((sum, part) => sum + weight(part), 0);
    const share = parts.reduce((sum, part) => sum + weight(part) * part.restore.progress, 0) / all;
    const perSecond = parts.reduce((sum, part) => sum + part.restore.records_per_second, 0);
    const left = parts.map((part) => part.restore.eta_s_max);
    const eta = left.some((value) => value === null) ? "" : ", at most " + seconds(Math.max(...left)) + " left";
    this.field("restore-bar").value = share;
    setText(this.field("restore-text"), Math.floor(share * 100) + " %, " + rate.format(perSecond) + " records/s" + eta);
  }

  showWarnings(warnings) {
    const fingerprint = JSON.stringify(warnings);
    if (fingerprint === this.warnings) return;
    this.warnings = fingerprint;
    const lines = warnings.map(({ code, partition, detail }) => {
      const line = element("li");
      const where = partition === null || partition === undefined ? "" : " partition " + partition;
      line.append(element("strong", code), where + ": " + detail);
      return line;
    });
    this.field("warnings").replaceChildren(...lines);
    this.field("warnings").hidden = lines.length === 0;
  }

  /// Watches the view while its changes are looked at, and not otherwise.
  watch() {
    const looked = this.field("changes").open && !document.hidden;
    if (looked === (this.source !== null)) return;
    this.source?.close();
    this.source = null;
    if (!looked) return;
    const source = new EventSource("v1/views/" + this.name + "/watch?initial=none");
    this.source = source;
    const state = (text) => setText(this.field("changes-state"), text);
    source.onopen = () => state("as they come");
    source.onerror = () => {
      state("interrupted, trying again");
      // It tries again by itself unless it was refused: while the view restores, or as many watch as may.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.watchAgain(source), WATCH_RETRY_MS);
    };
    for (const name of ["put", "delete", "reset"]) {
      source.addEventListener(name, (event) => this.addChange(name, event.data));
    }
  }

  watchAgain(source) {
    if (this.source !== source) return;
    this.source = null;
    this.watch();
  }

  /// However many come, the list is written a few times a second.
  addChange(name, data) {
    this.changes.push({ name, data, at: new Date() });
    if (this.changes.length > CHANGES_MAX) this.changes.shift();
    this.changesTimer ??= setTimeout(() => {
      this.changesTimer = undefined;
      const lines = this.changes.map(changeLine);
      this.field("changes-list").replaceChildren(...lines.reverse());
    }, CHANGES_INTERVAL_MS);
  }

  showPartitions(partitions) {
    const body = this.field("partitions");
    setText(this.field("partition-count"), String(partitions.length));
    while (body.rows.length > partitions.length) body.deleteRow(-1);
    partitions.forEach((partition, index) => {
      const row = body.rows[index] ?? this.addRow(body);
      const offset = (value) => (value === null || value === undefined ? "–" : String(value));
      const words = [
        String(partition.partition),
        partition.state + (partition.reason ? ": " + partition.reason : ""),
        offset(partition.position),
        offset(partition.end_offset),
        count.format(partition.lag),
        seconds(partition.staleness_s),
      ];
      words.forEach((text, column) => setText(row.cells[column], text));
    });
  }

  addRow(body) {
    const row = body.insertRow();
    const head = element("th");
    head.scope = "row";
    row.append(head);
    for (let column = 1; column < 6; column += 1) row.append(element("td"));
    return row;
  }

  showEvents(events) {
    const fingerprint = JSON.stringify(events);
    if (fingerprint === this.events) return;
    this.events = fingerprint;
    setText(this.field("event-count"), String(events.length));
    const lines = events.map((event) => {
      const line = element("li");
      const time = element("time", event.at);
      time.dateTime = event.at;
      const where = event.partition === null ? "" : " partition " + event.partition;
      line.append(time, " ", element("strong", event.kind), where + " " + event.detail);
      return line;
    });
    this.field("events").replaceChildren(...lines.reverse());
  }

  async lookUp() {
    const form = this.field("look-up");
    const key = form.elements.key.value;
    const enc = form.elements.enc.value;
    // A key that a URL would take for a step in the path travels in the query.
    const inPath = key !== "" && key !== "." && key !== "..";
    const base = "v1/views/" + this.name;
    const url = inPath
      ? base + "/keys/" + encodeURIComponent(key) + "?enc=" + enc
      : base + "/lookup?key=" + encodeURIComponent(key) + "&enc=" + enc;
    this.field("answer").hidden = false;
    setText(this.field("request"), "GET /" + url);
    try {
      const response = await fetchLimited(url);
      this.showAnswer(response, await response.arrayBuffer());
    } catch (error) {
      this.showNothing(error);
    }
  }

  showAnswer(response, buffer) {
    setText(this.field("status-line"), response.status + " " + response.statusText);
    const telling = [...response.headers].filter(
      ([name]) => name === "etag" || name === "content-type" || name.startsWith("record-") || name.startsWith("view-"),
    );
    const list = telling.flatMap(([name, value]) => [element("dt", name), element("dd", value)]);
    this.field("headers").replaceChildren(...list);
    const [text, note] = present(buffer);
    setText(this.field("value"), text);
    this.field("value").hidden = text === "";
    setText(this.field("note"), note);
  }

  showNothing(error) {
    setText(this.field("status-line"), "No answer: " + error.message);
    this.field("headers").replaceChildren();
    setText(this.field("value"), "");
    this.field("value").hidden = true;
    setText(this.field("note"), "");
  }
}

function showConnection(error) {
  const line = document.getElementById("connection");
  line.hidden = !error;
  setText(line, error ? "No status: " + error.message + ". What is shown may be old; trying again." : "");
}

async function follow(panels) {
  for (;;) {
    if (!document.hidden) {
      const outcomes = await Promise.allSettled(panels.map((panel) => panel.refresh()));
      showConnection(outcomes.find((outcome) => outcome.status === "rejected")?.reason ?? null);
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}

follow(Array.from(document.querySelectorAll("[data-view]"), (root) => new ViewPanel(root)));
