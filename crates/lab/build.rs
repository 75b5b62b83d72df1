//! Tells the lab which compiler built it, for the machine card.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let Some(rustc) = std::env::var_os("RUSTC") else { return };
    let Ok(output) = Command::new(rustc).arg("--version").output() else { return };
    println!("cargo::rustc-env=POLYLOOP_LAB_RUSTC={}", String::from_utf8_lossy(&output.stdout).trim());
}
