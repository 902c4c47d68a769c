//! Where the service is that a command asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::args::Settings;
use super::exit::{Exit, Failure};
use crate::config::sections::Config;
use crate::config::{self, Problems, Secret};

/// Returns the address of the data listener: the one that was given, or the one of the configuration.
pub(super) fn data(url: Option<&str>, settings: &Settings) -> anyhow::Result<String> {
    choose(url, settings, |config| ("http.listen", config.http.listen))
}

/// Returns the address of the ops listener: the one that was given, or the one of the configuration.
pub(super) fn ops(url: Option<&str>, settings: &Settings) -> anyhow::Result<String> {
    choose(url, settings, |config| ("ops.listen", config.ops.listen))
}

/// Returns the address of the ops listener, and the token of the configuration where that was asked.
pub(super) fn admin(url: Option<&str>, settings: &Settings) -> anyhow::Result<(String, Option<Secret>)> {
    if url.is_some_and(|url| !url.is_empty()) {
        return Ok((ops(url, settings)?, None));
    }
    let token = load(settings, config::environment())?.ops.admin_token;
    Ok((ops(url, settings)?, token))
}

fn choose(
    url: Option<&str>,
    settings: &Settings,
    listen: impl Fn(&Config) -> (&'static str, SocketAddr),
) -> anyhow::Result<String> {
    if let Some(url) = url.filter(|url| !url.is_empty()) {
        return Ok(url.to_owned());
    }
    let (key, addr) = listen(&load(settings, config::environment())?);
    if addr.port() == 0 {
        let message = format!("{key} leaves the port open: give the address with --url");
        return Err(Failure::new(Exit::Usage, message).into());
    }
    Ok(format!("http://{}", reachable(addr)))
}

/// Loads the configuration for its addresses; a client needs neither a broker nor a view to be configured.
fn load(settings: &Settings, env: impl Iterator<Item = (String, String)>) -> Result<Config, Problems> {
    let mut overrides = settings.overrides.clone();
    for (key, value) in [("kafka.bootstrap", "unused:9092"), ("views.unused.topic", "unused")] {
        overrides.push((key.to_owned(), value.to_owned()));
    }
    config::load(&settings.files, env, &overrides).map(config::Loaded::into_config)
}

/// A wildcard can be bound, not connected to.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_any_configuration_the_default_addresses_are_asked() {
        let config = load(&Settings::default(), std::iter::empty()).unwrap();

        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.ops.listen.to_string(), "127.0.0.1:8081");
    }

    #[test]
    fn the_configuration_says_where_without_being_complete() {
        let env = [("STATUSQUO__HTTP__LISTEN".to_owned(), "127.0.0.1:9000".to_owned())];
        let config = load(&Settings::default(), env.into_iter()).unwrap();

        assert_eq!(config.http.listen.to_string(), "127.0.0.1:9000");
    }

    #[test]
    fn a_wildcard_is_reached_through_loopback() {
        let cases = [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.1:80", "10.0.0.1:80")];
        for (bound, asked) in cases {
            assert_eq!(reachable(bound.parse().unwrap()).to_string(), asked);
        }
    }

    #[test]
    fn an_address_that_was_given_needs_no_configuration() {
        let settings = Settings { files: vec!["/nonexistent.toml".into()], overrides: Vec::new() };

        assert_eq!(data(Some("http://h:1"), &settings).unwrap(), "http://h:1");
        assert!(data(None, &settings).is_err());
    }
}
