//! The long texts of `--help`.

pub(super) const ABOUT: &str = "\
The current state of your Kafka topics, over HTTP.

statusquo reads compacted topics into views on disk and answers look-ups by key. Kafka stays the only source
of truth: a view can be deleted at any time, and is built again from its topic.";

pub(super) const AFTER: &str = "\
Examples:
  statusquo demo                                    see it work, without a Kafka
  statusquo serve --config statusquo.toml           run the service
  statusquo get users u1                            print a value
  statusquo scan users --prefix u1                  print some entries
  statusquo export users --file users.ndjson        write all entries as of one moment
  statusquo watch users                             print every change
  statusquo status                                  how far are the views?
  statusquo config check --config statusquo.toml    find every mistake before a roll-out

Environment variables:
  STATUSQUO__HTTP__LISTEN=...   sets the key http.listen; two underscores stand for a dot
  STATUSQUO_CONFIG=FILE         as --config
  STATUSQUO_URL=URL             as --url of `get`, `scan`, `export`, `watch` and `status`
  STATUSQUO_OPS_URL=URL         as --url of `healthcheck`, --ops-url of `rebuild`

Exit codes:
  0   done                       3   the key has no value
  1   failed                     75  not now: not ready, or nobody answers; try again later
  2   wrong command line         78  wrong configuration
                                 130 Ctrl-C, where that leaves something undone";

pub(super) const SERVE: &str = "\
The smallest configuration file:
  [kafka]
  bootstrap = \"127.0.0.1:9092\"
  [views.users]
  topic = \"user-profiles\"

Then open http://127.0.0.1:8080 for the web page, or:
  curl -i http://127.0.0.1:8080/v1/views/users/keys/u1

SIGTERM or Ctrl-C ends it in order. It starts where it stopped.";

pub(super) const DEMO: &str = "\
Examples:
  statusquo demo
  statusquo demo --users 100000 --rate 1000
  statusquo demo --listen 127.0.0.1:9000 --ops-listen 127.0.0.1:9001
  statusquo demo --bootstrap 127.0.0.1:9092

With --bootstrap it creates the compacted topic statusquo-demo-users if there is none, and deletes it at the
end if it created it. The Kafka in memory keeps the last 5 MiB of a partition.";

pub(super) const GET: &str = "\
The bytes of the value go to standard output, untouched. -o prints the entry instead.

Examples:
  statusquo get users u1
  statusquo get users u1 -i                         also says how fresh the answer is
  statusquo get users u1 -o json                    with partition, offset, timestamp and headers
  statusquo get users u1 --read-after 3:99200 --wait 10     once the record a producer wrote is applied
  statusquo get users u1 --wait 30                  waits for the key to appear
  statusquo get orders 42 --enc i64                 keys written by Java's LongSerializer
  statusquo get users \"$id\" > user.json || [ $? -eq 3 ]   a missing key is no failure

Exit codes: 3 the key has no value, 75 not now (the view restores, the position is not reached, or nobody answers),
1 anything else.";

pub(super) const WATCH: &str = "\
Where the connection breaks it goes on from the last event, for as long as it takes. Ctrl-C ends it with 0.

Examples:
  statusquo watch users
  statusquo watch users --prefix eu/ --initial none     changes of some keys, from now on
  statusquo watch users -o ndjson | jq .data.key        one JSON object per line: event, id, data
  statusquo watch users --read-after 3:99200 --wait 10  begins once the record a producer wrote is applied
  statusquo watch users --from \"$id\"                  goes on from the id of an earlier event";

pub(super) const SCAN: &str = "\
Keys are in the order of their bytes. A table cuts long values; -o json and -o ndjson do not.

Examples:
  statusquo scan users
  statusquo scan users --prefix u1 --order desc --limit 20
  statusquo scan orders --start 1000 --end 2000 --enc i64
  statusquo scan users --limit 5000 -o ndjson | jq .value.email
  statusquo scan users --prefix u1 --read-after 3:99200 --wait 10   once the record a producer wrote is applied

Exit codes: 75 not now (the view restores, the position is not reached, or nobody answers), 1 anything else.";

pub(super) const EXPORT: &str = "\
A line of JSON per entry: key, value, partition, offset, timestamp, headers; -o json makes one document of them. All
of them are of one moment, whose position is told on standard error. A file appears only when everything has arrived.

Examples:
  statusquo export users --file users.ndjson
  statusquo export users --read-after 3:99200 --wait 10 -o json --file users.json
  statusquo export users --prefix eu- | gzip > eu.ndjson.gz

Exit codes: 75 cut off, or not now (the view restores, the position is not reached, too many exports run, nobody
answers), 130 interrupted by Ctrl-C, 1 anything else.";

pub(super) const STATUS: &str = "\
Examples:
  statusquo status                                  a line per view
  statusquo status users                            a line per partition
  statusquo status users -o json | jq .lag

State is one of live, rebuilding, stale, source-lost, restoring, stuck. LAG counts records; STALENESS is the
time for which the view is not known to be current. KEYS and the time left are estimates.";

pub(super) const REBUILD: &str = "\
The service must have ops.admin = true. Look-ups are answered out of the old state until the new one has caught up.

Examples:
  statusquo rebuild users
  statusquo rebuild users --partition 3 --partition 5 --wait
  statusquo rebuild users --ops-url http://10.0.0.7:8081 --token-file admin-token

Without --wait it prints where the rebuild can be followed. Ctrl-C ends the waiting, not the rebuild.
Exit codes: 75 not now (a rebuild runs already, or nobody answers), 1 anything else.";

pub(super) const HEALTHCHECK: &str = "\
Without --ready it asks /livez: alive means the process and its threads work, even while Kafka is away or a view
restores. Restart on that. With --ready it asks /readyz: hold traffic back on that, never restart.

Examples:
  HEALTHCHECK CMD [\"statusquo\", \"healthcheck\"]      in a Dockerfile
  statusquo healthcheck --ready                     in a script that waits for the views";

pub(super) const COMPLETIONS: &str = "\
Examples:
  source <(statusquo completions bash)
  statusquo completions zsh > ~/.zfunc/_statusquo
  statusquo completions fish > ~/.config/fish/completions/statusquo.fish";
