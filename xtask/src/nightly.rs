//! Miri and ThreadSanitizer need a nightly toolchain with components; what is missing is said together with its remedy.

use std::process::Command;

use crate::exec;
use crate::stop::Stop;

/// Looks for nightly and these components of it.
///
/// # Errors
///
/// `Stop::Missing` with the one line that installs what is missing, `Stop::OutOfReach` where no rustup could.
pub(crate) fn probe(components: &[&str]) -> Result<(), Stop> {
    let list = ["component", "list", "--toolchain", "nightly", "--installed"];
    let Ok(output) = Command::new("rustup").args(list).output() else {
        return Err(Stop::OutOfReach(
            "needs a nightly toolchain, and there is no rustup: https://rustup.rs".into(),
        ));
    };
    if !output.status.success() {
        let install = "rustup toolchain install nightly --profile minimal --component";
        return Err(Stop::Missing(format!("no nightly toolchain; `{install} {}`", components.join(","))));
    }
    match missing(components, &String::from_utf8_lossy(&output.stdout)).join(" ") {
        none if none.is_empty() => Ok(()),
        some => Err(Stop::Missing(format!(
            "not installed: {some}; `rustup component add {some} --toolchain nightly`"
        ))),
    }
}

/// `cargo` of the nightly toolchain, at the root of the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo"]).args(arguments).current_dir(exec::root());
    command
}

/// What `rustup component list --installed` does not show; it writes `miri-TARGET`, but plain `rust-src`.
fn missing<'a>(components: &[&'a str], installed: &str) -> Vec<&'a str> {
    let has =
        |name: &str| installed.lines().any(|line| line == name || line.starts_with(&format!("{name}-")));
    components.iter().copied().filter(|name| !has(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_found_with_and_without_a_target() {
        let installed = "cargo-x86_64-unknown-linux-gnu\nmiri-x86_64-unknown-linux-gnu\n";
        assert_eq!(missing(&["miri", "rust-src"], installed), ["rust-src"]);
        assert!(missing(&["miri", "rust-src"], "miri-x\nrust-src\n").is_empty());
    }
}
