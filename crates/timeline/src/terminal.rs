//! What the terminal is like: how wide, and whether it can show block characters.

/// The width of the terminal behind stdout: `COLUMNS` if set, else what the terminal says.
pub fn width() -> Option<usize> {
    columns().or_else(|| size(std::io::stdout()))
}

/// The width of the terminal behind stderr.
pub fn width_of_stderr() -> Option<usize> {
    columns().or_else(|| size(std::io::stderr()))
}

/// Whether the locale shows more than ASCII. Without any locale variable it does: files and pipes are UTF-8.
pub fn shows_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let Some(locale) = locale else { return true };
    let locale = locale.to_lowercase();
    !matches!(locale.as_str(), "c" | "posix") && (locale.contains("utf") || !locale.contains('.'))
}

fn columns() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns >= 20)
}

#[cfg(unix)]
fn size(of: impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(of).ok()?;
    (size.ws_col >= 20).then_some(usize::from(size.ws_col))
}

#[cfg(not(unix))]
fn size<T>(_of: T) -> Option<usize> {
    None
}
