//! Assembly: a configuration becomes stores, threads and listeners, and ends in order.

mod descriptors;
mod files;
mod signals;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};

use self::files::ListenFile;
use crate::config::sections::Config;
use crate::http::{self, AppState, Health, Limits, Listener};
use crate::kafka::{self, Cluster};
use crate::materializer;
use crate::progress::{Bounds, Progress, WarningCode};
use crate::store::{Opened, Resources, Store};
use crate::supervisor::{Endings, Supervisor};
use crate::view::{View, Views};

/// Requests in flight get this share of the grace period; the rest is for the last batch and the last mirror.
const DRAIN_SHARE: u32 = 2;

/// A running service.
pub struct App {
    runtime: Runtime,
    supervisor: Supervisor,
    endings: Endings,
    views: Arc<Views>,
    health: Arc<Health>,
    grace: Duration,
    http_addr: SocketAddr,
    ops_addr: SocketAddr,
    _listen_file: ListenFile,
}

impl App {
    /// Starts everything in the background: listeners, stores, and the threads of every view.
    ///
    /// `page` is what the data listener serves at `/`, made from the views.
    ///
    /// # Errors
    /// What keeps the service from starting, in words that say what to do.
    pub fn start(config: &Config, page: impl FnOnce(Arc<Views>) -> axum::Router) -> anyhow::Result<Self> {
        kafka::check(&config.kafka)?;
        descriptors::raise(config.http.connections_max, config.views.len());
        let runtime = Builder::new_multi_thread().enable_all().thread_name("http").build()?;
        let http_listener = listen(config.http.listen, "http.listen")?;
        let ops_listener = listen(config.ops.listen, "ops.listen")?;
        let (http_addr, ops_addr) = (http_listener.local_addr()?, ops_listener.local_addr()?);
        let (supervisor, endings) = Supervisor::new();
        let resources = Arc::new(Resources::new(&config.store, config.views.len())?);
        let views = Arc::new(start_views(config, &resources, &supervisor)?);
        let health = Arc::new(Health::default());
        let state = AppState::new(Arc::clone(&views), resources, Arc::clone(&health), &config.http);
        let limits = |listener| Limits::of(&config.http, state.connections(listener));
        let data = http::data_router(&state, page(Arc::clone(&views)));
        let ops = http::ops_router(&state, &config.ops);
        let (stop, grace) = (supervisor.stop(), config.shutdown.grace);
        let serve = |name: &str, listener, router, limits: Limits| {
            let (stop, drain) = (stop.clone(), grace / DRAIN_SHARE);
            let serve = async move { Ok(http::serve(listener, router, &limits, stop, drain).await?) };
            let _inside = runtime.enter();
            supervisor.task(name, serve);
        };
        serve("http", http_listener, data, limits(Listener::Data));
        serve("ops", ops_listener, ops, limits(Listener::Ops));
        let _listen_file = ListenFile::write(&config.data_dir, http_addr, ops_addr)?;
        health.set_started();
        tracing::info!(http = %http_addr, ops = %ops_addr, views = config.views.len(), "started");
        Ok(Self { runtime, supervisor, endings, views, health, grace, http_addr, ops_addr, _listen_file })
    }

    /// Returns the address of the data listener.
    #[must_use]
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Returns the address of the ops listener.
    #[must_use]
    pub fn ops_addr(&self) -> SocketAddr {
        self.ops_addr
    }

    /// Returns the views.
    #[must_use]
    pub fn views(&self) -> &Arc<Views> {
        &self.views
    }

    /// Blocks until SIGTERM, SIGINT or the end of a component, then ends everything in order.
    ///
    /// # Errors
    /// When a component ended by itself, or something was still running at the end of the grace period.
    pub fn wait(mut self) -> anyhow::Result<()> {
        let outcome = self.runtime.block_on(async {
            tokio::select! {
                signal = signals::first() => signal.map(|name| tracing::info!(signal = name, "stopping")),
                ended = self.endings.recv() => Err(untimely(ended)),
            }
        });
        let deadline = Instant::now() + self.grace;
        self.health.set_stopping();
        self.runtime.spawn(signals::exit_at_the_next());
        self.supervisor.stop().cancel();
        let drained = self.runtime.block_on(self.supervisor.finish(deadline));
        let mut running = self.supervisor.join(deadline);
        if !drained {
            running.push("a listener".to_owned());
        }
        outcome?;
        while let Ok(ended) = self.endings.try_recv() {
            ended.outcome.with_context(|| format!("{} failed", ended.name))?;
        }
        anyhow::ensure!(running.is_empty(), "{} did not end in time", running.join(", "));
        tracing::info!("stopped");
        Ok(())
    }
}

fn start_views(config: &Config, resources: &Resources, supervisor: &Supervisor) -> anyhow::Result<Views> {
    let cluster = Arc::new(Cluster::new(&config.kafka, "cluster", supervisor.stop())?);
    let mut views = BTreeMap::new();
    for (name, view) in &config.views {
        let dir = config.data_dir.join(name.as_str());
        let Opened { store, writer, quarantined } =
            Store::open(&dir, &view.topic, resources, config.store.corrupt_kept)
                .with_context(|| format!("view '{name}' cannot be opened"))?;
        let progress = Arc::new(Progress::new(Bounds::of(&config.http.watch)));
        if let Some((aside, detail)) = quarantined {
            let detail = format!("{detail}; moved to {} and restored from Kafka", aside.display());
            tracing::error!(view = %name, detail, "the store was damaged");
            progress.warn(WarningCode::StoreQuarantined, None, detail);
        }
        let staleness = config.ready.max_staleness;
        let view = Arc::new(View::new(name.clone(), view.clone(), store, progress, staleness));
        materializer::start(&view, writer, &cluster, config, supervisor)?;
        views.insert(name.clone(), view);
    }
    Ok(views)
}

fn listen(addr: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(addr)
        .with_context(|| format!("cannot listen on {addr}; free the port or set {key} to another address"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn untimely(ended: Option<crate::supervisor::Ended>) -> anyhow::Error {
    match ended {
        Some(ended) => match ended.outcome {
            Err(error) => error.context(format!("{} failed", ended.name)),
            Ok(()) => anyhow::anyhow!("{} ended by itself", ended.name),
        },
        None => anyhow::anyhow!("every component is gone"),
    }
}
