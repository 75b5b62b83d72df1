//! One call, one job.

use crate::blocking_io::on_pool;
use std::fs::{Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

/// Functions whose job is the function of the same name of `std::fs`.
macro_rules! jobs {
    ($($(#[$doc:meta])+ $name:ident($($path:ident),+ $(; $argument:ident: $type:ty)?) -> $output:ty;)*) => { $(
        $(#[$doc])+
        ///
        /// # Errors
        ///
        /// As all of [this module](super).
        ///
        /// # Cancel safety
        ///
        /// What was begun runs to its end; see [the module](super).
        pub async fn $name($($path: impl AsRef<Path>,)+ $($argument: $type)?) -> io::Result<$output> {
            $(let $path = $path.as_ref().to_owned();)+
            on_pool(move || std::fs::$name($($path,)+ $($argument)?)).await
        }
    )* };
}

jobs! {
    /// The absolute path, without links and dots.
    canonicalize(path) -> PathBuf;
    /// Copies the content and the permissions of a file to another one, whose content is lost; the number of bytes.
    copy(from, to) -> u64;
    /// Makes a directory.
    create_dir(path) -> ();
    /// Makes a directory, and those above it that are missing.
    create_dir_all(path) -> ();
    /// Makes another name for a file.
    hard_link(original, link) -> ();
    /// What is known of a file; links are followed.
    metadata(path) -> Metadata;
    /// The whole content of a file.
    ///
    /// # Examples
    ///
    /// ```
    /// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
    /// # runtime.block_on(async {
    /// use polyloop::fs;
    ///
    /// let path = std::env::temp_dir().join(format!("polyloop-doc-{}", std::process::id()));
    /// fs::write(&path, "hello").await?;
    /// assert_eq!(fs::read(&path).await?, b"hello");
    /// fs::remove_file(&path).await?;
    /// assert!(!fs::try_exists(&path).await?);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    read(path) -> Vec<u8>;
    /// Where a link leads.
    read_link(path) -> PathBuf;
    /// The whole content of a file, which is UTF-8.
    read_to_string(path) -> String;
    /// Removes an empty directory.
    remove_dir(path) -> ();
    /// Removes a directory and all that is in it; links are not followed.
    remove_dir_all(path) -> ();
    /// Removes a file.
    remove_file(path) -> ();
    /// Gives a file another name; a file that has it is replaced.
    rename(from, to) -> ();
    /// Sets a file's permissions.
    set_permissions(path; permissions: Permissions) -> ();
    /// What is known of a file or link itself.
    symlink_metadata(path) -> Metadata;
}

/// Makes a link at `link` that leads to `original`.
///
/// # Errors
///
/// As all of [this module](super).
///
/// # Cancel safety
///
/// What was begun runs to its end; see [the module](super).
#[cfg(unix)]
pub async fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let (original, link) = (original.as_ref().to_owned(), link.as_ref().to_owned());
    on_pool(move || std::os::unix::fs::symlink(original, link)).await
}

/// Whether there is something at `path`; a link that leads nowhere is nothing.
///
/// # Errors
///
/// As all of [this module](super): that it cannot be known.
///
/// # Cancel safety
///
/// Cancel safe.
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    let path = path.as_ref().to_owned();
    on_pool(move || path.try_exists()).await
}

/// Writes a whole file, which is made, or whose content is lost.
///
/// # Errors
///
/// As all of [this module](super).
///
/// # Cancel safety
///
/// What was begun runs to its end; see [the module](super).
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let (path, contents) = (path.as_ref().to_owned(), contents.as_ref().to_owned());
    on_pool(move || std::fs::write(path, contents)).await
}
