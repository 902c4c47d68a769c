"""A client of statusquo: look-ups with a cache, reading your own writes, and a copy of a view.

    client.py URL VIEW get KEY
    client.py URL VIEW after KEY PARTITION:OFFSET
    client.py URL VIEW watch
"""

import json
import sys
import time
from urllib.parse import quote

import requests


class View:
    def __init__(self, url, name):
        self.base = f"{url}/v1/views/{name}"
        self.session = requests.Session()  # keeps the connection
        self.cache = {}  # key -> (ETag, value)

    def get(self, key, **headers):
        """Returns (status, value); the value is None if there is none."""
        etag, cached = self.cache.get(key, (None, None))
        if etag:
            headers["If-None-Match"] = etag
        # A slash in a key must not become one of the path.
        answer = self.session.get(f"{self.base}/keys/{quote(key, safe='')}", headers=headers, timeout=30)
        if answer.status_code == 304:
            return 304, cached
        if answer.status_code == 404:
            self.cache.pop(key, None)
            return 404, None
        answer.raise_for_status()
        value = answer.content  # the bytes as produced; json.loads() takes them apart, if they are JSON
        self.cache[key] = answer.headers["ETag"], value
        return 200, value

    def get_after(self, key, position):
        """Reads a value that reflects the record at `position`: PARTITION:OFFSET, as a producer was told."""
        return self.get(key, **{"Read-After": position, "Prefer": "wait=5"})

    def events(self, last_id=None):
        """Yields (event, data) for ever, over interruptions."""
        while True:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            try:
                # No news for longer than two bookmarks means that nobody is there any more.
                with self.session.get(f"{self.base}/watch", headers=headers, stream=True, timeout=40) as answer:
                    if answer.status_code in (409, 410):
                        last_id = None
                        yield "reset", {"reason": "gone"}
                        continue
                    answer.raise_for_status()
                    event, data, new_id = "message", "", last_id
                    # Bytes, because text of a value may hold characters that Python takes for line ends.
                    for line in answer.iter_lines(chunk_size=1):
                        field, _, value = line.decode().partition(": ")
                        if field == "event":
                            event = value
                        elif field == "data":
                            data += value
                        elif field == "id":
                            new_id = value
                        elif not line:  # an event is complete; before that it does not count
                            last_id = new_id
                            if data:
                                yield event, json.loads(data)
                            event, data = "message", ""
            except requests.RequestException as error:
                print(f"interrupted: {error}", file=sys.stderr)
            time.sleep(1)


class Copy:
    """The view as a map that follows it."""

    def __init__(self):
        # From (key, key_base64), one of which is None, to the last event about it. That has its value as `value`, as
        # `value_base64` if it is not what it should be, or not at all: then `value_too_large` says how large it is.
        self.entries = {}
        self.complete = False

    def apply(self, event, data):
        key = data.get("key"), data.get("key_base64")
        if event == "put":
            self.entries[key] = data
        elif event == "delete":
            self.entries.pop(key, None)
        elif event == "reset":
            self.complete = False
            gone = data.get("partitions")
            self.entries = {
                key: entry
                for key, entry in self.entries.items()
                if gone is not None and entry["partition"] not in gone
            }
        elif event == "synced":
            self.complete = True


def show(status, value):
    print(status, None if value is None else value.decode(errors="replace"))


def main():
    url, name, command, *arguments = sys.argv[1:]
    view = View(url, name)
    if command == "get":
        for _ in range(2):
            show(*view.get(arguments[0]))
    elif command == "after":
        show(*view.get_after(*arguments))
    elif command == "watch":
        copy = Copy()
        for event, data in view.events():
            copy.apply(event, data)
            if event == "synced" or (copy.complete and event in ("put", "delete")):
                print(event, data.get("key", data.get("key_base64", "-")), len(copy.entries), flush=True)


if __name__ == "__main__":
    main()
