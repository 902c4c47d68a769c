//! The addresses of the demo: the usual ones, or free ones.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context as _;

/// Returns the address to listen on: the one that was named, else the usual port, else a free one.
///
/// # Errors
/// When the one that was named is busy; `flag` is where to name another.
pub(super) fn choose(named: Option<SocketAddr>, usual: u16, flag: &str) -> anyhow::Result<SocketAddr> {
    if let Some(addr) = named {
        let why = || format!("cannot listen on {addr}; free it, or name another address with {flag}");
        TcpListener::bind(addr).with_context(why)?;
        return Ok(addr);
    }
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, usual));
    let is_free = TcpListener::bind(usual).is_ok();
    Ok(if is_free { usual } else { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_replaced_unless_it_was_named() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let busy = held.local_addr().unwrap();

        assert_eq!(choose(None, busy.port(), "--listen").unwrap().port(), 0);
        let error = choose(Some(busy), 8080, "--listen").unwrap_err().to_string();
        assert!(error.contains("name another address with --listen"), "{error}");
    }
}
