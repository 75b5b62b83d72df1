//! A build in which the workspace's members, and nobody else, are told one cfg more.
//!
//! Invariant: what such a build and others have in common, the foreign crates, is built once. The cfg is added by a wrapper around
//! rustc that cargo applies to members alone; its path differs for each value, so that cargo keeps the builds apart.

use crate::stop::Stop;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Has `cargo` tell the members `--cfg KEY="VALUE"`; the wrapper's script goes below `folder`.
///
/// # Errors
///
/// `Stop::Failed` if the value is no plain name, or the script cannot be written.
pub(crate) fn add_cfg(cargo: &mut Command, folder: &Path, key: &str, value: &str) -> Result<(), Stop> {
    cargo.env("RUSTC_WORKSPACE_WRAPPER", script(folder, key, value)?);
    Ok(())
}

fn script(folder: &Path, key: &str, value: &str) -> Result<PathBuf, Stop> {
    if !value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(Stop::Failed(format!("`{value}` is no value for `{key}`: only letters, digits and `_`")));
    }
    let path = folder.join(value);
    let script = format!("#!/bin/sh\nexec \"$@\" --cfg '{key}=\"{value}\"'\n");
    let write = || {
        fs::create_dir_all(folder)?;
        fs::write(&path, script)?;
        make_executable(&path)
    };
    write().map_err(|error| Stop::Failed(format!("{}: {error}", path.display())))?;
    Ok(path)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "a cfg is added through a shell script"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_must_be_a_plain_name() {
        assert!(script(Path::new("unused"), "polyloop_mutant", "x'; rm").is_err());
    }
}
