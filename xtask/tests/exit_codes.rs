//! What `cargo xtask` ends with where it is not the lab that says so.

#![forbid(unsafe_code)]

use std::process::{Command, Output, Stdio};

fn xtask(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The compiler says who it is and compiles nothing; what was built before is out of its reach.
#[cfg(unix)]
#[test]
fn a_lab_that_cannot_be_built_is_101() {
    use std::os::unix::fs::PermissionsExt;
    let compiler = concat!(env!("CARGO_TARGET_TMPDIR"), "/compiles-nothing");
    let script = "#!/bin/sh\ncase \"$*\" in -vV|*--print=*) exec rustc \"$@\";; *) echo 'error: no' >&2; exit 1;; esac\n";
    std::fs::write(compiler, script).expect("a script");
    std::fs::set_permissions(compiler, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    for arguments in [&["bench", "matrix", "--quick"][..], &["lab", "run", "sleep"]] {
        let output = xtask(arguments)
            .env("RUSTC", compiler)
            .env_remove("RUSTC_WRAPPER")
            .env("CARGO_TARGET_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/nothing-built"))
            .output()
            .expect("xtask starts");
        let (code, said) = said(&output);
        assert_eq!(code, Some(101), "{said}");
        assert!(said.contains("error: could not compile") && output.stdout.is_empty(), "{said}");
    }
}

#[test]
fn a_wrong_command_is_2_and_says_what_there_is() {
    for (arguments, words) in [
        (&["dance"][..], "there are bench, book, ci"),
        (&["bench", "dance"], "there are matrix, counts, compare"),
        (&["bench", "gate"], "does not exist yet"),
        (&["lab", "dance"], "there are run, list"),
        (&["lab", "matrix"], "that is `cargo xtask bench matrix`"),
        (&["tidy", "--dance"], "--dance"),
        (&["book", "yields", "--on", "tokio-mt", "5"], "takes its name alone, and no `5`"),
        (&["book", "--timeline", "mine.json", "--on=smol-1"], "no `--timeline`"),
        (&["book", "--on", "tokio-mt"], "wants the name of one program"),
    ] {
        let output = xtask(arguments).output().expect("xtask starts");
        let (code, said) = said(&output);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words) && said.lines().count() == 1, "{arguments:?}: {said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_is_0() {
    for arguments in [&[][..], &["--help"], &["bench", "--help"], &["lab"], &["loom", "--help"]] {
        let output = xtask(arguments).output().expect("xtask starts");
        assert_eq!(said(&output), (Some(0), String::new()), "{arguments:?}");
        assert!(!output.stdout.is_empty());
    }
}
