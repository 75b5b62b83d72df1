//! Files and directories, on the blocking pool.
//!
//! No system makes reading a file a matter of readiness, so each call here is a job of the current runtime's
//! [blocking pool](crate::task::spawn_blocking), whose thread waits for the disk in place of the task's. A job costs some
//! microseconds: for many small steps take [`BufReader`](crate::io::BufReader) and [`BufWriter`](crate::io::BufWriter), or do the
//! whole work in one `spawn_blocking` with `std::fs`.
//!
//! Names and semantics are tokio's. A [`File`] belongs to no runtime: each call uses the one that it is made on.
//!
//! # Errors
//!
//! The kernel's word. Besides, each of them is an error outside of a runtime ([`NoRuntime`](crate::NoRuntime)), when the runtime has shut
//! down, and when no thread could be had.
//!
//! # Cancel safety
//!
//! None of the functions is cancel safe in the sense that nothing has happened: **a job that was begun runs to its end**, also if
//! the future that waits for it is dropped. What a dropped future leaves behind is what the call does: a file written, or a part of
//! it if it fails. [`ReadDir::next_entry`] loses nothing. Of a [`File`], reading loses nothing; what seeking and writing promise is said
//! there.

mod dir_builder;
mod file;
mod open_options;
mod ops;
mod read_dir;

pub use dir_builder::DirBuilder;
pub use file::File;
pub use open_options::OpenOptions;
#[cfg(unix)]
pub use ops::symlink;
pub use ops::{
    canonicalize, copy, create_dir, create_dir_all, hard_link, metadata, read, read_link, read_to_string,
    remove_dir, remove_dir_all, remove_file, rename, set_permissions, symlink_metadata, try_exists, write,
};
pub use read_dir::{DirEntry, ReadDir, read_dir};
#[doc(no_inline)]
pub use std::fs::{FileType, Metadata, Permissions};
