//! The variable `POLYLOOP`, read by a process of its own: nothing may change the environment of one that has threads.

use polyloop::Runtime;
use std::process::Command;

/// Says what `Runtime::from_env` makes, to the tests below, which run it in a process of its own.
#[test]
fn child() {
    match Runtime::from_env() {
        Ok(runtime) => println!("<{}>", runtime.combination()),
        Err(error) => println!("<{error}>"),
    }
}

fn said(value: Option<&str>) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["environment::child", "--exact", "--nocapture"]).env_remove("POLYLOOP");
    if let Some(value) = value {
        child.env("POLYLOOP", value);
    }
    let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
    let said = output.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    said.unwrap_or_else(|| panic!("{output}")).0.to_owned()
}

#[test]
fn the_variable_chooses() {
    assert_eq!(said(None), "steal+mio+wheel");
    assert_eq!(said(Some("fifo")), "fifo+mio+wheel");
    assert_eq!(said(Some("steal:3+poll+heap")), "steal:3+poll+heap");
    assert_eq!(said(Some("")), "POLYLOOP: unknown executor ``; there are fifo, steal");
    assert_eq!(said(Some("lifo")), "POLYLOOP: unknown executor `lifo`; there are fifo, steal");
    assert!(said(Some("fifo:2")).starts_with("POLYLOOP: "));
    assert!(said(Some("steal:0")).starts_with("POLYLOOP: "));
    assert!(said(Some("fifo+mio+wheel+x")).starts_with("POLYLOOP: "));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_an_error() {
    use std::os::unix::ffi::OsStrExt;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["environment::child", "--exact", "--nocapture"]);
    child.env("POLYLOOP", std::ffi::OsStr::from_bytes(b"fi\xff"));
    let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
    assert!(output.contains("<POLYLOOP: not valid Unicode>"), "{output}");
}
