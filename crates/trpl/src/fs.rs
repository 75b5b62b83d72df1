//! Files.

use crate::here;
use std::io;
use std::path::Path;

/// Reads a file as text, on a thread that may block.
///
/// # Errors
///
/// The kernel's word, text that is not UTF-8, or that there is no runtime here.
///
/// # Cancel safety
///
/// Cancel safe: what is dropped reads on to nobody.
///
/// # Examples
///
/// ```
/// let manifest = trpl::run(async { trpl::read_to_string("Cargo.toml").await })?;
/// assert!(manifest.contains("[package]"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    let path = path.as_ref().to_owned();
    here::try_handle()?.spawn_blocking(move || std::fs::read_to_string(path)).await?
}
