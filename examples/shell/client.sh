#!/bin/sh
# A client of statusquo with curl and jq.
#   client.sh URL VIEW get KEY                       look-up with a cache
#   client.sh URL VIEW after KEY PARTITION:OFFSET    reads your own write
#   client.sh URL VIEW watch                         keeps a copy in a directory, one file per key
set -eu
base="$1/v1/views/$2"
command=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Looks a key up, with more options of curl behind it. The value goes to $work/value; prints the status.
look_up() {
  key=$(printf %s "$1" | jq -sRr @uri)
  shift
  curl -sS -o "$work/value" -w '%{http_code}' "$@" "$base/keys/$key"
}

# Names the file of a key. One that is no text comes as key_base64. A long key needs another name: its checksum.
file_of() {
  printf '%s/%s' "$copy" "$(printf %s "$1" | jq -r '[.key, .key_base64] | @json | @uri')"
}

# Applies an event to the copy, and tells what it did. The value is in it as value, as value_base64 if it is not what it
# should be, or not at all: then value_too_large says how large it is.
apply() {
  case $1 in
    put) printf %s "$2" > "$(file_of "$2")" ;;
    delete) rm -f "$(file_of "$2")" ;;
    reset)
      echo no > "$work/complete"
      for file in "$copy"/*; do
        [ -e "$file" ] || continue
        partition=$(jq .partition "$file")
        # No list means all.
        if printf %s "$2" | jq -e --argjson p "$partition" '.partitions == null or any(.partitions[]; . == $p)' > /dev/null; then
          rm "$file"
        fi
      done
      ;;
    synced) echo yes > "$work/complete" ;;
    *) return 0 ;;
  esac
  if [ "$1" != reset ] && [ "$(cat "$work/complete")" = yes ]; then
    printf '%s %s %s\n' "$1" "$(printf %s "$2" | jq -r '.key // .key_base64 // "-"')" "$(find "$copy" -type f | wc -l)"
  fi
}

case $command in
  get)
    # curl keeps the tag in a file and sends it the next time; a 304 leaves the value as it is.
    for _ in 1 2; do
      status=$(look_up "$4" --etag-save "$work/etag" --etag-compare "$work/etag")
      case $status in
        200) cp "$work/value" "$work/cached" ;;
        304) ;;
        *) cat "$work/value" >&2; exit 1 ;;
      esac
      printf '%s %s\n' "$status" "$(cat "$work/cached")"
    done
    ;;
  after)
    # Not there within five seconds: 504, never an older value.
    status=$(look_up "$4" -H "Read-After: $5" -H 'Prefer: wait=5')
    printf '%s %s\n' "$status" "$(cat "$work/value")"
    [ "$status" = 200 ]
    ;;
  watch)
    copy=$work/copy
    mkdir "$copy"
    : > "$work/id"
    echo no > "$work/complete"
    while :; do
      # -N: each event as it comes. The last id is where the next attempt goes on. A bookmark comes every 15 s: where
      # nothing comes for 40, nobody is there any more.
      id=$(cat "$work/id")
      new_id=$id event='' data=''
      curl -sSN --fail --connect-timeout 10 --speed-limit 1 --speed-time 40 -w 'status: %{http_code}\n' ${id:+-H "Last-Event-ID: $id"} "$base/watch" | while IFS= read -r line; do
        case $line in
          "status: 409" | "status: 410") # begin anew
            : > "$work/id"
            apply reset '{}'
            ;;
          "event: "*) event=${line#event: } ;;
          "id: "*) new_id=${line#id: } ;;
          "data: "*) data=${line#data: } ;;
          "")
            # An event is complete; before that it does not count.
            printf %s "$new_id" > "$work/id"
            apply "$event" "$data"
            event='' data=''
            ;;
        esac
      done
      sleep 1
    done
    ;;
esac
