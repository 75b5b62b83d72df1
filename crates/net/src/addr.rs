//! Addresses, and names that become addresses on another thread.
//!
//! Invariant: what is an address already is never sent to the resolver, and a name is never looked up on the calling thread.

use crate::Context;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::pin::Pin;

/// The future of a look-up.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks names up without blocking the caller.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of `host`, with `port`.
    fn resolve(&self, host: String, port: u16) -> Resolving;
}

/// Where somebody wants to connect to or listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// This address.
    Address(SocketAddr),
    /// These addresses, to be tried in order.
    Addresses(Vec<SocketAddr>),
    /// Whatever addresses this host has, with this port.
    Name(String, u16),
}

/// What can be turned into a [`Target`].
pub trait ToTarget {
    /// The target.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, if this is no address and no `host:port`.
    fn to_target(&self) -> io::Result<Target>;
}

fn known(address: SocketAddr) -> io::Result<Target> {
    Ok(Target::Address(address))
}

macro_rules! address {
    ($($type:ty),*) => {$(
        impl ToTarget for $type {
            fn to_target(&self) -> io::Result<Target> {
                known(SocketAddr::from(*self))
            }
        }
    )*};
}

address!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl ToTarget for str {
    fn to_target(&self) -> io::Result<Target> {
        if let Ok(address) = self.parse() {
            return known(address);
        }
        let parts = self.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match parts {
            Some((host, port)) if !host.is_empty() => (host, port).to_target(),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{self}` is neither an address nor host:port"),
            )),
        }
    }
}

impl ToTarget for String {
    fn to_target(&self) -> io::Result<Target> {
        self.as_str().to_target()
    }
}

impl ToTarget for (&str, u16) {
    fn to_target(&self) -> io::Result<Target> {
        match self.0.parse::<IpAddr>() {
            Ok(ip) => known(SocketAddr::new(ip, self.1)),
            Err(_) => Ok(Target::Name(self.0.to_owned(), self.1)),
        }
    }
}

impl ToTarget for (String, u16) {
    fn to_target(&self) -> io::Result<Target> {
        (self.0.as_str(), self.1).to_target()
    }
}

impl ToTarget for [SocketAddr] {
    fn to_target(&self) -> io::Result<Target> {
        Ok(Target::Addresses(self.to_vec()))
    }
}

impl<T: ToTarget + ?Sized> ToTarget for &T {
    fn to_target(&self) -> io::Result<Target> {
        (**self).to_target()
    }
}

/// The addresses of `target`, in the order in which they should be tried. A name is looked up on the runtime's blocking
/// pool.
///
/// # Errors
///
/// `InvalidInput` if the target cannot be understood, or the resolver's word.
pub async fn lookup_host(target: impl ToTarget) -> io::Result<Vec<SocketAddr>> {
    resolve(&Context::current()?, target.to_target()?).await
}

pub(crate) async fn resolve(context: &Context, target: Target) -> io::Result<Vec<SocketAddr>> {
    match target {
        Target::Address(address) => Ok(vec![address]),
        Target::Addresses(addresses) => Ok(addresses),
        Target::Name(host, port) => context.resolver.resolve(host, port).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_not_looked_up() {
        for text in ["127.0.0.1:80", "[::1]:80"] {
            assert_eq!(text.to_target().unwrap(), Target::Address(text.parse().unwrap()));
        }
        assert_eq!("localhost:80".to_target().unwrap(), Target::Name("localhost".into(), 80));
        assert_eq!(("::1", 1).to_target().unwrap(), Target::Address("[::1]:1".parse().unwrap()));
    }

    #[test]
    fn nonsense_is_an_error_that_quotes_it() {
        for text in ["", "nonsense", ":80", "host:", "host:99999", "host:port"] {
            let error = text.to_target().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(text));
        }
    }
}
