//! The limit on open files: raised once by the runner, inherited by every cell.

/// Raises the soft limit to the hard one and returns what a cell may then open.
#[cfg(unix)]
pub(crate) fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // A refusal is no error here: the cells that need more say so.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    open_files()
}

/// How many files this process may open; `None` if there is no limit or it is not known.
#[cfg(unix)]
pub(crate) fn open_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
pub(crate) fn raise_open_files() -> Option<u64> {
    None
}

#[cfg(not(unix))]
pub(crate) fn open_files() -> Option<u64> {
    None
}
