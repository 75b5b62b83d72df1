//! What every reactor refuses, in the same words.

use polyloop_core::reactor::{Interest, Token};
use std::io;

/// Both together.
pub(crate) fn union(a: Interest, b: Interest) -> Interest {
    Interest { read: a.read || b.read, write: a.write || b.write }
}

/// Refuses the one token whose word the libraries keep for themselves.
pub(crate) fn check(token: Token) -> io::Result<()> {
    if token.to_u64() == u64::MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a token's index is below 2^31"));
    }
    Ok(())
}

/// `token` has a file already.
pub(crate) fn taken(token: Token) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, format!("{token:?} is registered already"))
}

/// `token` has no file.
pub(crate) fn unknown(token: Token) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{token:?} is not registered"))
}
