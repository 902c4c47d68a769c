//! Ports for nodes.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which systems number outgoing connections: a stopped node finds its port free again.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// Returns `N` ports of loopback that nobody listens on.
pub fn free_ports<const N: usize>() -> [u16; N] {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes of the same moment begin at different places.
    let seed = std::process::id().wrapping_mul(37);
    let mut candidates = std::iter::repeat_with(|| {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = seed.wrapping_add(u32::from(step)) % u32::from(COUNT);
        FIRST + u16::try_from(place).expect("less than COUNT")
    });
    std::array::from_fn(|_| candidates.find(|port| is_free(*port)).expect("an endless iterator"))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}
