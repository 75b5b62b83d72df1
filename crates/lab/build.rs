//! Tells the lab which compiler and which sources built it, for the machine card.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(rustc) = std::env::var_os("RUSTC")
        && let Some(version) = said(Command::new(rustc).arg("--version"))
    {
        println!("cargo::rustc-env=POLYLOOP_LAB_RUSTC={version}");
    }
    commit();
}

/// The commit of the sources, wherever the lab is run from, with `-dirty` if tracked files were changed.
fn commit() {
    let git = |arguments: &[&str]| said(Command::new("git").arg("--no-optional-locks").args(arguments));
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return };
    let dirty =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|files| !files.is_empty());
    println!("cargo::rustc-env=POLYLOOP_LAB_COMMIT={commit}{}", if dirty { "-dirty" } else { "" });
    // A commit moves HEAD's log, a staged file the index, and a changed file is in one of the crates.
    for file in ["logs/HEAD", "index"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    println!("cargo::rerun-if-changed=..");
}

fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
