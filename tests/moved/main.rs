//! Programs that were written for tokio, beside what they are here: the `use` lines and the paths of attributes differ, and
//! nothing else. Both do the same, ours on every combination. And what programs name of tokio is here by the same paths.

#![forbid(unsafe_code)]

use std::future::Future;

mod chat {
    pub(crate) mod polyloop;
    pub(crate) mod tokio;
}

mod crawler {
    pub(crate) mod polyloop;
    pub(crate) mod tokio;
}

/// Nothing in them runs: that they compile says that the names are there.
mod names {
    mod polyloop;
    mod tokio;
}

mod store {
    pub(crate) mod polyloop;
    pub(crate) mod tokio;
}

mod tour {
    pub(crate) mod polyloop;
    pub(crate) mod tokio;
}

/// A program as its imports, whose order is rustfmt's, and its other lines; both with our name where tokio's may stand.
fn moved(program: &str) -> (Vec<String>, Vec<String>) {
    let rename = |line: &str| {
        let renamed =
            line.trim_start().starts_with("use tokio::") || line.trim_start().starts_with("#[tokio::");
        if renamed { line.replace("tokio::", "polyloop::") } else { line.to_owned() }
    };
    let (mut imports, others): (Vec<_>, Vec<_>) =
        program.lines().map(rename).partition(|line| line.starts_with("use "));
    imports.sort_unstable();
    (imports, others)
}

#[test]
fn only_imports_and_attributes_differ() {
    let programs = [
        ("chat", include_str!("chat/tokio.rs"), include_str!("chat/polyloop.rs")),
        ("crawler", include_str!("crawler/tokio.rs"), include_str!("crawler/polyloop.rs")),
        ("names", include_str!("names/tokio.rs"), include_str!("names/polyloop.rs")),
        ("store", include_str!("store/tokio.rs"), include_str!("store/polyloop.rs")),
        ("tour", include_str!("tour/tokio.rs"), include_str!("tour/polyloop.rs")),
    ];
    for (name, theirs, ours) in programs {
        assert!(theirs.contains("tokio::") && !ours.contains("tokio"), "{name}");
        let (theirs, ours) = (moved(theirs), moved(ours));
        assert_eq!(theirs.0, ours.0, "{name}: imports");
        assert_eq!(theirs.1, ours.1, "{name}: the rest");
    }
}

/// Runs ours on every combination and theirs on tokio's two kinds of runtime, and compares what they say.
fn compare<T, O>(theirs: fn() -> T, ours: fn() -> O, expected: &[&str])
where
    T: Future<Output = std::io::Result<Vec<String>>>,
    O: Future<Output = std::io::Result<Vec<String>>>,
{
    let mut kinds =
        [::tokio::runtime::Builder::new_current_thread(), ::tokio::runtime::Builder::new_multi_thread()];
    for kind in &mut kinds {
        let said = kind.enable_all().build().unwrap().block_on(theirs());
        assert_eq!(said.unwrap(), expected, "tokio");
    }
    for combination in ::polyloop::Combination::ALL {
        let runtime = ::polyloop::Builder::new().combination(combination).build().unwrap();
        assert_eq!(runtime.block_on(ours()).unwrap(), expected, "{combination}");
    }
}

#[test]
fn a_chat_server() {
    let expected = [
        "* ann came",
        "* bob came",
        "* bob came",
        "that name is taken",
        "ann: hello",
        "ann: hello",
        "bob whispers: psst",
        "* the room closes",
        "3 were served",
    ];
    compare(chat::tokio::scene, chat::polyloop::scene, &expected);
}

#[test]
fn a_store_with_channels() {
    let invalid = "ERR invalid digit found in string";
    let expected = ["OK", "1", "1", "0", "NIL", invalid, "ERR what?", "OK", "OK", "1", "rain", "11 lines"];
    compare(store::tokio::scene, store::polyloop::scene, &expected);
}

#[test]
fn a_crawler() {
    let mut expected: Vec<String> = (1..=15).map(|page| format!("/{page} Page {page}")).collect();
    expected.sort_unstable();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    compare(crawler::tokio::scene, crawler::polyloop::scene, &expected);
}

#[test]
fn a_tour_of_what_programs_call() {
    let expected = [
        "pong! the rest",
        "back",
        "6869",
        "Some(\"two\") None 8",
        "through cat",
        "Some(1) [2, 3] 2 9 once (\"all\", \"all\")",
        "2 filled true",
        "6 true 4 5 6",
        "3 8 deadline has elapsed",
        "more than four 14 14",
    ];
    compare(tour::tokio::scene, tour::polyloop::scene, &expected);
}

#[test]
fn their_mains_run() {
    chat::tokio::main().unwrap();
    chat::polyloop::main().unwrap();
    store::tokio::main().unwrap();
    store::polyloop::main().unwrap();
    crawler::tokio::main().unwrap();
    crawler::polyloop::main().unwrap();
    tour::tokio::main().unwrap();
    tour::polyloop::main().unwrap();
}
