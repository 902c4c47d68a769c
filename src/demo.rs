//! `statusquo demo`: Kafka, changing user profiles, a view, the API and the web page in one process.

mod feed;
mod generator;
mod ports;
mod profile;
mod scratch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tracing_subscriber::fmt::MakeWriter;

use self::feed::Feed;
use self::generator::{ALWAYS_ALIVE, GONE};
use self::scratch::DataDir;
use crate::app::App;
use crate::config::sections::Config;
use crate::kafka::demo_topic::{DemoProducer, DemoTopic};
use crate::kafka::mock::MockKafka;
use crate::view::Views;
use crate::{config, page, telemetry};

/// Changes per second unless said otherwise: enough to see the view move.
pub const RATE: u32 = 200;
/// Users at first unless said otherwise: a burst that takes a moment.
pub const USERS: u32 = 20_000;

/// The topic; on a real Kafka its name tells whose it is.
const TOPIC: &str = "statusquo-demo-users";
const VIEW: &str = "users";
/// On a real Kafka a few do.
const PARTITIONS: u32 = 4;
/// The Kafka in memory keeps 5 MiB of each.
const MOCK_PARTITIONS: u32 = 8;

/// What the demo may be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// A real Kafka; without it one in memory.
    pub bootstrap: Option<String>,
    /// Where the view is kept; without it in a temporary directory.
    pub data_dir: Option<PathBuf>,
    /// Changes per second.
    pub rate: u32,
    /// Users that sign up at first.
    pub users: u32,
    /// Address of the API and the web page.
    pub listen: Option<SocketAddr>,
    /// Address of probes and metrics.
    pub ops_listen: Option<SocketAddr>,
}

/// A running demo; what was made for it goes with the value.
pub struct Demo {
    // Order matters: fields are dropped from top to bottom, so the broker outlives everybody who talks to it.
    app: App,
    feed: Feed,
    data_dir: DataDir,
    broker: Broker,
}

/// Where the records go; what was made for the demo goes with the value.
enum Broker {
    Memory(MockKafka),
    Real { bootstrap: String, topic: DemoTopic },
}

impl Demo {
    /// Starts everything in the background; `logs` is where log lines go.
    ///
    /// # Errors
    /// What keeps it from starting, in words that say what to do.
    pub fn start<W>(options: Options, logs: W) -> anyhow::Result<Self>
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        let http = ports::choose(options.listen, 8080, "--listen", None)?;
        let ops = ports::choose(options.ops_listen, 8081, "--ops-listen", Some(http))?;
        let broker = Broker::start(options.bootstrap)?;
        let data_dir = DataDir::choose(options.data_dir)?;
        let config = configure(&broker.bootstrap(), &data_dir, http, ops)?;
        telemetry::install(&config.log, logs)?;
        let producer = DemoProducer::new(&broker.bootstrap(), TOPIC)?;
        let feed = Feed::start(producer, options.users, options.rate)?;
        let app = App::start(&config, page::router)?;
        Ok(Self { app, feed, data_dir, broker })
    }

    /// Returns the views.
    #[must_use]
    pub fn views(&self) -> &Arc<Views> {
        self.app.views()
    }

    /// Returns where everything is, and what to try.
    #[must_use]
    pub fn banner(&self) -> String {
        banner(&self.broker, &self.data_dir, self.app.http_addr(), self.app.ops_addr())
    }

    /// Blocks until the demo is told to stop, then ends everything; nothing is left behind.
    ///
    /// `watch` is whatever else looks at the views: they must be closed before their directory goes.
    ///
    /// # Errors
    /// When a component ended by itself, or did not end in time.
    pub fn wait<W>(self, watch: W) -> anyhow::Result<()> {
        let Self { app, feed, data_dir, broker } = self;
        let outcome = app.wait();
        // Order matters: as in the fields.
        drop(watch);
        drop(feed);
        drop(data_dir);
        drop(broker);
        outcome
    }
}

impl Broker {
    fn start(bootstrap: Option<String>) -> anyhow::Result<Self> {
        let Some(bootstrap) = bootstrap else {
            let mock =
                MockKafka::start(TOPIC, MOCK_PARTITIONS).context("the Kafka in memory does not start")?;
            return Ok(Self::Memory(mock));
        };
        let topic = DemoTopic::create(&bootstrap, TOPIC, PARTITIONS)
            .with_context(|| format!("cannot create topic {TOPIC} on {bootstrap}"))?;
        Ok(Self::Real { bootstrap, topic })
    }

    fn bootstrap(&self) -> String {
        match self {
            Self::Memory(mock) => mock.bootstrap(),
            Self::Real { bootstrap, .. } => bootstrap.clone(),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Memory(_) => "a Kafka in memory".to_owned(),
            Self::Real { bootstrap, topic } if topic.created() => {
                format!("{bootstrap}, in a topic of its own")
            }
            Self::Real { bootstrap, .. } => {
                format!("{bootstrap}, in topic {TOPIC}, which was there and stays")
            }
        }
    }
}

/// Makes the configuration the way a user would: everything else is as built in.
fn configure(
    bootstrap: &str,
    data_dir: &DataDir,
    http: SocketAddr,
    ops: SocketAddr,
) -> anyhow::Result<Config> {
    let data_dir = data_dir.path().to_str().context("--data-dir has to be UTF-8")?;
    let topic_key = format!("views.{VIEW}.topic");
    let settings = [
        ("kafka.bootstrap", bootstrap),
        ("kafka.instance", "demo"),
        // A group would be left behind.
        ("mirror.enabled", "false"),
        ("data_dir", data_dir),
        ("http.listen", &http.to_string()),
        ("http.allow_unauthenticated", "true"),
        // Of one machine; for more it would ask for more file descriptors than some grant.
        ("http.connections_max", "1000"),
        ("http.waiters_max", "500"),
        ("ops.listen", &ops.to_string()),
        ("log.level", "warn"),
        (&topic_key, TOPIC),
    ];
    let settings: Vec<_> =
        settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Ok(config::load(&[], std::iter::empty(), &settings)?.into_config())
}

fn banner(broker: &Broker, data_dir: &DataDir, http: SocketAddr, ops: SocketAddr) -> String {
    let kafka = broker.describe();
    let ending = match data_dir {
        DataDir::Scratch(_) => "Ctrl-C ends the demo; nothing is left behind.".to_owned(),
        DataDir::Kept(path) => format!("Ctrl-C ends the demo; the view stays in {}.", path.display()),
    };
    format!(
        "statusquo demo: user profiles change in {kafka}

  web page   http://{http}/
  API        http://{http}/v1/views/{VIEW}
  metrics    http://{ops}/metrics

Try:
  curl -i http://{http}/v1/views/{VIEW}/keys/{ALWAYS_ALIVE}     # a user, and how fresh the answer is
  curl -i http://{http}/v1/views/{VIEW}/keys/{GONE}     # left: a 404 you can trust
  curl http://{http}/v1/views/{VIEW}/status        # how far the view is

{ending}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_of_the_demo_is_valid_on_any_address() {
        for (http, ops) in
            [("127.0.0.1:0", "127.0.0.1:0"), ("0.0.0.0:8080", "0.0.0.0:8081"), ("[::1]:1", "[::1]:2")]
        {
            let (http, ops) = (http.parse().unwrap(), ops.parse().unwrap());
            let dir = DataDir::Kept("/tmp/demo".into());
            let config = configure("127.0.0.1:9092", &dir, http, ops).unwrap();

            assert_eq!((config.http.listen, config.ops.listen), (http, ops));
            assert!(!config.mirror.enabled);
            assert_eq!(config.views.len(), 1);
        }
    }
}
