//! Debian's PostgreSQL, started as an unprivileged user on loopback, asked from every combination.

#![forbid(unsafe_code)]

use ecosystem_postgres::connect;
use ecosystem_support::{Program, skip};
use futures::future::try_join_all;
use polyloop::time::{sleep, timeout};
use polyloop::{Combination, Runtime};
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// `nobody` on Debian.
const UNPRIVILEGED: u32 = 65_534;
const USER: &str = "polyloop";
/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with a folder of its own, both of which go with this.
struct Database {
    server: Child,
    folder: PathBuf,
    address: SocketAddr,
}

/// Where Debian has PostgreSQL's programs, in its newest version.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    folders.filter(|folder| folder.join("initdb").exists() && folder.join("postgres").exists()).max()
}

impl Database {
    fn start(programs: &Path) -> Self {
        let folder = std::env::temp_dir().join(format!("polyloop-postgres-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let is_root = std::fs::metadata(&folder).unwrap().uid() == 0;
        if is_root {
            chown(&folder, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
        }
        let command = |name: &str| {
            let mut command = Command::new(programs.join(name));
            // It refuses to run as root, and has no business in this folder.
            if is_root {
                command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
            }
            command.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null());
            command
        };
        let data = folder.join("data");
        let mut initdb = command("initdb");
        initdb.args(["--auth=trust", "--no-sync", "--username", USER, "--pgdata"]).arg(&data);
        assert!(initdb.status().unwrap().success(), "initdb failed");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut server = command("postgres");
        server.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k"]).arg(&folder);
        let server = server.args(["-c", "fsync=off"]).stderr(Stdio::null()).spawn().unwrap();
        Self { server, folder, address: (Ipv4Addr::LOCALHOST, port).into() }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Its children end with it.
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn asks(address: SocketAddr) -> Result<(), Box<dyn Error + Send + Sync>> {
    let client = connect(address, USER).await?;
    let row = client.query_one("SELECT $1::int4 + 1, $2::text || '!'", &[&41_i32, &"hello"]).await?;
    assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1)), (42, "hello!"));

    client.batch_execute("CREATE TEMP TABLE numbers (n int8 NOT NULL, t text NOT NULL)").await?;
    let insert = client.prepare("INSERT INTO numbers VALUES ($1, $2)").await?;
    // All at once: the library puts them into one pipeline.
    let values: Vec<_> = (0..200_i64).map(|n| (n, "x".repeat(n as usize))).collect();
    let inserts = values.iter().map(|(n, text)| {
        let (client, insert) = (&client, &insert);
        async move { client.execute(insert, &[n, text]).await }
    });
    assert!(try_join_all(inserts).await?.iter().all(|rows| *rows == 1));
    let row = client.query_one("SELECT sum(n)::int8, sum(length(t))::int8 FROM numbers", &[]).await?;
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (19_900, 19_900));

    // More than a socket's buffers.
    let row = client.query_one("SELECT repeat('polyloop', 500000)", &[]).await?;
    assert_eq!(row.get::<_, &str>(0).len(), 4_000_000);

    let error = client.query("SELEKT 1", &[]).await.unwrap_err();
    assert_eq!(error.code().map(|code| code.code()), Some("42601"), "{error}");
    assert!(!client.is_closed(), "an error of one query is no end of the connection");
    Ok(())
}

#[test]
fn queries_are_answered_on_every_combination() {
    let Some(programs) = programs() else {
        return skip(
            "queries_are_answered_on_every_combination",
            "PostgreSQL is not installed (Debian's package `postgresql`)",
        );
    };
    let mut database = Database::start(&programs);
    let address = database.address;
    let ready = Runtime::from_name("fifo+poll+heap").unwrap();
    let mut reached = async || {
        while connect(address, USER).await.is_err() {
            assert_eq!(database.server.try_wait().unwrap(), None, "the server ended");
            sleep(Duration::from_millis(50)).await;
        }
    };
    ready.block_on(async { timeout(PATIENCE, reached()).await.expect("the server answers") });
    for combination in Combination::ALL {
        let combination = combination.to_string();
        let runtime = Runtime::from_name(&combination).unwrap();
        // As a task, so that it is polled where tasks are.
        let asking = runtime.spawn(async move { timeout(PATIENCE, asks(address)).await });
        let asked = runtime.block_on(asking);
        asked
            .unwrap_or_else(|error| panic!("{combination}: {error}"))
            .unwrap_or_else(|late| panic!("{combination}: {late}"))
            .unwrap_or_else(|error| panic!("{combination}: {error}"));

        let mut program =
            Program::start(env!("CARGO_BIN_EXE_query"), &combination, [&address.to_string(), USER]);
        let version = program.line();
        assert!(version.starts_with("PostgreSQL "), "{combination}: {version}");
        program.facts().assert_native(&combination);
        assert_eq!(program.finish(), "");
    }
}
