//! The addresses of the demo: the usual ones, or free ones.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, ensure};

/// Returns the address to listen on: the one that was named, else the usual port, else a free one.
///
/// # Errors
/// When the one that was named is busy or `taken`; `flag` is where to name another.
pub(super) fn choose(
    named: Option<SocketAddr>,
    usual: u16,
    flag: &str,
    taken: Option<SocketAddr>,
) -> anyhow::Result<SocketAddr> {
    // Port 0 is a free one each time.
    let is_taken = |addr: SocketAddr| addr.port() != 0 && taken == Some(addr);
    if let Some(addr) = named {
        let why = || format!("cannot listen on {addr}; free it, or name another address with {flag}");
        ensure!(!is_taken(addr), "{addr} cannot have two uses; name another address with {flag}");
        TcpListener::bind(addr).with_context(why)?;
        return Ok(addr);
    }
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, usual));
    let is_free = !is_taken(usual) && TcpListener::bind(usual).is_ok();
    Ok(if is_free { usual } else { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_replaced_unless_it_was_named() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let busy = held.local_addr().unwrap();

        assert_eq!(choose(None, busy.port(), "--listen", None).unwrap().port(), 0);
        let error = choose(Some(busy), 8080, "--listen", None).unwrap_err().to_string();
        assert!(error.contains("name another address with --listen"), "{error}");
    }

    #[test]
    fn two_listeners_never_get_the_same_port() {
        let addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();

        assert_eq!(choose(None, addr.port(), "--ops-listen", Some(addr)).unwrap().port(), 0);
        assert!(choose(Some(addr), 8081, "--ops-listen", Some(addr)).is_err());
    }
}
