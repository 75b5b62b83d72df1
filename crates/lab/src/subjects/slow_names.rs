//! A resolver that is as slow as the name says.
//!
//! Invariant: a name of this module is answered after a blocking pause without asking anybody; every other name is the
//! system's business.

use crate::catalogue::block;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// A name's ending that no name server has (RFC 6761).
const ENDING: &str = "ms.slow.test";
/// Nobody waits longer than this for a name.
const LONGEST: u64 = 60_000;

/// A name that takes so long to be looked up; shorter than a minute.
pub(crate) fn named(pause: Duration) -> String {
    format!("{}{ENDING}", pause.as_millis())
}

/// How long looking `host` up takes, if it is a name of this module.
fn pause(host: &str) -> Option<Duration> {
    let millis = host.strip_suffix(ENDING)?.parse().ok()?;
    (millis <= LONGEST).then(|| Duration::from_millis(millis))
}

/// Looks a name up, and blocks meanwhile.
pub(crate) fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match pause(host) {
        Some(pause) => {
            block(pause);
            Ok(vec![(Ipv4Addr::LOCALHOST, port).into()])
        }
        None => (host, port).to_socket_addrs().map(Iterator::collect),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_module_are_answered_here() {
        let name = named(Duration::from_millis(20));
        assert_eq!(pause(&name), Some(Duration::from_millis(20)));
        assert_eq!(lookup(&named(Duration::ZERO), 80).unwrap(), [SocketAddr::from(([127, 0, 0, 1], 80))]);
        for other in
            ["localhost", "ms.slow.test", "xms.slow.test", "99999999999ms.slow.test", "20ms.slow.test.org"]
        {
            assert_eq!(pause(other), None, "{other}");
        }
    }
}
