//! The addresses of the two listeners.

use std::net::SocketAddr;

/// Checks that only this machine can reach an address.
pub(super) fn only_from_here(listen: SocketAddr) -> Result<(), String> {
    if listen.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(format!(
        "with {listen} whoever can connect can read every view: set `http.allow_unauthenticated = true` if that \
         is meant, or listen on a loopback address behind a reverse proxy with authentication"
    ))
}

/// Checks that only this machine can ask for a rebuild.
pub(super) fn admin_only_from_here(listen: SocketAddr) -> Result<(), String> {
    if listen.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(format!(
        "with `ops.listen` on {listen} whoever can connect could rebuild every view: set `ops.admin_token_file` (or \
         `ops.admin_token`), or listen on a loopback address"
    ))
}

/// Checks that the data listener and the ops listener can be bound at the same time.
pub(super) fn apart(http: SocketAddr, ops: SocketAddr) -> Result<(), String> {
    let overlap = http.ip() == ops.ip() || http.ip().is_unspecified() || ops.ip().is_unspecified();
    // Port 0 is a free port of the system's choice.
    if overlap && http.port() == ops.port() && http.port() != 0 {
        return Err(format!("{ops} is taken by `http.listen` ({http}): the two need ports of their own"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn loopback_addresses_are_reached_only_from_here() {
        for listen in ["127.0.0.1:8080", "127.9.9.9:0", "[::1]:8080", "[::ffff:127.0.0.1]:8080"] {
            assert_eq!(only_from_here(address(listen)), Ok(()), "{listen}");
            assert_eq!(admin_only_from_here(address(listen)), Ok(()), "{listen}");
        }
        for listen in ["0.0.0.0:8080", "[::]:8080", "192.168.1.1:0"] {
            assert!(only_from_here(address(listen)).is_err(), "{listen}");
            assert!(admin_only_from_here(address(listen)).is_err(), "{listen}");
        }
    }

    #[test]
    fn listeners_need_different_ports_unless_their_addresses_differ_or_the_system_chooses() {
        for (http, ops) in [
            ("127.0.0.1:8080", "127.0.0.1:8081"),
            ("127.0.0.1:8080", "127.0.0.2:8080"),
            ("127.0.0.1:0", "127.0.0.1:0"),
        ] {
            assert_eq!(apart(address(http), address(ops)), Ok(()), "{http} {ops}");
        }
        for (http, ops) in [("127.0.0.1:8080", "127.0.0.1:8080"), ("127.0.0.1:8080", "0.0.0.0:8080")] {
            assert!(apart(address(http), address(ops)).is_err(), "{http} {ops}");
        }
    }
}
