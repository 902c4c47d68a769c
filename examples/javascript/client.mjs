// A client of statusquo: look-ups with a cache, reading your own writes, and a copy of a view.
//   node client.mjs URL VIEW get KEY
//   node client.mjs URL VIEW after KEY PARTITION:OFFSET
//   node client.mjs URL VIEW watch

class View {
  #cache = new Map(); // key -> { etag, value }

  constructor(url, name) {
    this.base = `${url}/v1/views/${name}`;
  }

  /** Returns { status, value }. */
  async get(key, headers = {}) {
    const cached = this.#cache.get(key);
    if (cached) headers = { ...headers, "If-None-Match": cached.etag };
    const answer = await fetch(`${this.base}/keys/${encodeURIComponent(key)}`, { headers });
    if (answer.status === 304) return { status: 304, value: cached.value };
    if (answer.status === 404) {
      this.#cache.delete(key);
      return { status: 404 };
    }
    if (!answer.ok) throw new Error(await answer.text());
    const value = await answer.text(); // as produced; JSON.parse() takes it apart, if it is JSON
    this.#cache.set(key, { etag: answer.headers.get("ETag"), value });
    return { status: 200, value };
  }

  /** Reads a value that reflects the record at `position`: PARTITION:OFFSET, as a producer was told. */
  getAfter(key, position) {
    return this.get(key, { "Read-After": position, Prefer: "wait=5" });
  }

  /** Yields { event, data } for ever, over interruptions. In a browser, EventSource does this; see watch.html. */
  async *events() {
    let lastId;
    for (;;) {
      try {
        const answer = await fetch(`${this.base}/watch`, { headers: lastId ? { "Last-Event-ID": lastId } : {} });
        if (answer.status === 409 || answer.status === 410) {
          lastId = undefined;
          yield { event: "reset", data: { reason: "gone" } };
          continue;
        }
        if (!answer.ok) throw new Error(await answer.text());
        let rest = "";
        for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
          const events = (rest + text).split("\n\n");
          rest = events.pop(); // not complete yet, so it does not count
          for (const lines of events) {
            const fields = Object.fromEntries(lines.split("\n").map((line) => line.split(/: (.*)/s)));
            lastId = fields.id ?? lastId;
            if (fields.data) yield { event: fields.event, data: JSON.parse(fields.data) };
          }
        }
      } catch (error) {
        console.error(`interrupted: ${error}`);
      }
      await new Promise((resume) => setTimeout(resume, 1000));
    }
  }
}

/** The view as a map that follows it. */
class Copy {
  // The last event about each key. It has the value as `value`, as `value_base64` if it is not what it should be, or not
  // at all: then `value_too_large` says how large it is.
  entries = new Map();
  complete = false;

  apply({ event, data }) {
    const id = JSON.stringify([data.key, data.key_base64]); // one of them is there
    if (event === "put") {
      this.entries.set(id, data);
    } else if (event === "delete") {
      this.entries.delete(id);
    } else if (event === "reset") {
      this.complete = false;
      for (const [id, entry] of this.entries) {
        if (!data.partitions || data.partitions.includes(entry.partition)) this.entries.delete(id);
      }
    } else if (event === "synced") {
      this.complete = true;
    }
  }
}

const [url, name, command, ...args] = process.argv.slice(2);
const view = new View(url, name);
const print = ({ status, value }) => console.log(status, value);

if (command === "get") {
  print(await view.get(args[0]));
  print(await view.get(args[0]));
} else if (command === "after") {
  print(await view.getAfter(...args));
} else if (command === "watch") {
  const copy = new Copy();
  for await (const event of view.events()) {
    copy.apply(event);
    if (copy.complete && ["put", "delete", "synced"].includes(event.event)) {
      console.log(event.event, event.data.key ?? event.data.key_base64 ?? "-", copy.entries.size);
    }
  }
}
