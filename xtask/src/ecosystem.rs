//! Foreign crates on every combination: a workspace of its own, with its own lock file and its own total.
//!
//! The adapters stand in the facade behind features that nobody else switches on, so their lints, documentation and examples are
//! checked here, too; and so is a stranger's library, with more backends from one time to the next.

use std::process::Command;

use crate::args::Args;
use crate::exec;
use crate::stop::Stop;
use crate::test;
use crate::workspace::Workspace;

const HELP: &str = "\
Runs the tests of `tests/ecosystem`: real crates of the ecosystem (hyper, quinn, …) through our adapters on every combination.
Without a name also the adapters' own tests, the examples in their documentation, trpl's own tests as a program has it that asks for
no timeline, the template of a library with one reactor and with all, and the Book's trpl 0.2.0, which is built with OpenSSL. The
first call fetches and builds those crates, which takes minutes. A test whose program is not installed (a database, a bus, a load
generator) says so and counts as skipped.
The last line is `N passed, N failed, N skipped`.

Usage: cargo xtask ecosystem [MEMBER]…

Example: cargo xtask ecosystem http
";

/// Which unit tests are the adapters', by module; and which documentation tests, by folder.
const MODULES: [&str; 2] = ["interop::", "compat::"];
const FOLDERS: [&str; 2] = ["src/interop/", "src/compat/"];

/// What the adapters' examples use of the crates beyond what the adapters need; a user's program has them on.
const EXAMPLES: &str = "hyper/client,hyper/server,hyper/http1,hyper-util/client-legacy,hyper-util/http1";

/// A library of a stranger's, who knows polyloop by another name and switches its backends on one by one.
const LIBRARY: &str = "templates/library";

/// The Book's crate of the version before, which is built with the system's OpenSSL.
const OLDER: &str = "tests/ecosystem/trpl-older";

/// With which of its features it is tested.
const BACKENDS: [&str; 2] = ["", "mio,polling"];

pub(crate) fn run(raw: Vec<String>) -> Result<(), Stop> {
    let args = Args::parse(raw, HELP, &[], &[])?;
    let workspace = Workspace::ecosystem()?;
    let wanted = args.free.iter().map(|name| workspace.member(name)).collect::<Result<Vec<_>, _>>()?;
    fetch(&workspace)?;
    let mut totals = test::totals(&workspace, &wanted, test::Rounds::ONE)?;
    if wanted.is_empty() {
        let own = Workspace::load()?;
        for (kind, which) in [("--lib", MODULES), ("--doc", FOLDERS)] {
            let mut words =
                vec!["test", kind, "-p", "polyloop", "--all-features", "--features", EXAMPLES, "--"];
            words.extend(which);
            totals += test::one_round(&own, &words)?.of_some(&which.join(", "))?;
        }
        // In the workspace's tests the book has switched on its feature `timeline`.
        let trpl = test::one_round(&own, &["test", "--no-fail-fast", "-p", "polyloop-trpl"])?;
        totals += trpl.of_some("trpl's tests")?;
        let library = Workspace::template(LIBRARY)?;
        for backends in BACKENDS {
            let ran = test::one_round(&library, &["test", "--no-fail-fast", "--features", backends])?;
            totals += ran.of_some(LIBRARY)?;
        }
        if has_openssl() {
            totals += test::one_round(&Workspace::template(OLDER)?, &["test"])?;
        } else {
            totals += test::missing(
                "trpl-older: OpenSSL is not installed (Debian's packages `libssl-dev`, `pkg-config`)",
            );
        }
    }
    println!("{totals}");
    if totals.is_green() { Ok(()) } else { Err(Stop::Said) }
}

/// What CI runs: the lints and the documentation of the adapters and of their tests, then the tests.
pub(crate) fn check() -> Result<(), Stop> {
    let workspace = Workspace::ecosystem()?;
    fetch(&workspace)?;
    exec::check(&mut workspace.cargo(&["fmt", "--all", "--check"]))?;
    let lints = ["--all-targets", "--", "-D", "warnings"];
    exec::check(workspace.cargo(&["clippy", "--workspace"]).args(lints))?;
    exec::check(exec::cargo(&["clippy", "-p", "polyloop", "--all-features"]).args(lints))?;
    let mut doc = exec::cargo(&["doc", "-p", "polyloop", "--all-features", "--no-deps"]);
    exec::check(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    let library = Workspace::template(LIBRARY)?;
    exec::check(&mut library.cargo(&["fmt", "--check"]))?;
    exec::check(library.cargo(&["clippy"]).args(lints))?;
    let older = Workspace::template(OLDER)?;
    exec::check(&mut older.cargo(&["fmt", "--check"]))?;
    if has_openssl() {
        exec::check(older.cargo(&["clippy"]).args(lints))?;
    }
    run(Vec::new())
}

fn has_openssl() -> bool {
    exec::works(Command::new("pkg-config").args(["--exists", "openssl"]))
}

/// Where the crates cannot be had, nothing can be said about them.
fn fetch(workspace: &Workspace) -> Result<(), Stop> {
    let fetched = exec::works(&mut workspace.cargo(&["fetch", "--offline"]));
    if fetched || exec::check(&mut workspace.cargo(&["fetch"])).is_ok() {
        return Ok(());
    }
    Err(Stop::Missing(
        "the crates of tests/ecosystem cannot be fetched: `cd tests/ecosystem && cargo fetch`".into(),
    ))
}
