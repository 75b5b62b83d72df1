//! How a file is opened.

use super::File;
use crate::blocking_io::on_pool;
use std::io;
use std::path::Path;

/// How a file is opened; as `std::fs::OpenOptions`.
///
/// # Examples
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
/// # runtime.block_on(async {
/// use polyloop::fs::{self, OpenOptions};
/// use polyloop::io::AsyncWriteExt;
///
/// let path = std::env::temp_dir().join(format!("polyloop-doc-log-{}", std::process::id()));
/// for line in ["one\n", "two\n"] {
///     let mut log = OpenOptions::new().append(true).create(true).open(&path).await?;
///     log.write_all(line.as_bytes()).await?;
///     log.flush().await?;
/// }
/// assert_eq!(fs::read_to_string(&path).await?, "one\ntwo\n");
/// # fs::remove_file(path).await
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions(std::fs::OpenOptions);

/// Setters that the options of `std` have, too.
macro_rules! options {
    ($($(#[$doc:meta])+ $name:ident;)*) => { $(
        $(#[$doc])+
        pub fn $name(&mut self, $name: bool) -> &mut Self {
            self.0.$name($name);
            self
        }
    )* };
}

impl OpenOptions {
    /// Opens nothing, until it is said how.
    pub fn new() -> Self {
        Self(std::fs::OpenOptions::new())
    }

    options! {
        /// For reading.
        read;
        /// For writing, from the beginning on.
        write;
        /// For writing, always at the end.
        append;
        /// Its content is lost.
        truncate;
        /// It is made if it is missing.
        create;
        /// It is made, and must be missing.
        create_new;
    }

    /// The mode of a file that is made, less the process's umask; 0o666 unless said.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::mode(&mut self.0, mode);
        self
    }

    /// Flags for `open`, besides those that follow from the rest.
    #[cfg(unix)]
    pub fn custom_flags(&mut self, flags: i32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut self.0, flags);
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    ///
    /// As all of [this module](super).
    ///
    /// # Cancel safety
    ///
    /// What was begun runs to its end: a file may be made or emptied; it is closed then.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let (options, path) = (self.0.clone(), path.as_ref().to_owned());
        on_pool(move || options.open(path)).await.map(File::from_std)
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl From<std::fs::OpenOptions> for OpenOptions {
    fn from(options: std::fs::OpenOptions) -> Self {
        Self(options)
    }
}
