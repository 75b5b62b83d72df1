//! D-Bus over Debian's bus, started as an unprivileged user on a socket of its own, from every combination.

#![forbid(unsafe_code)]

use ecosystem_dbus::{BellProxy, on_bus};
use ecosystem_support::{Program, skip};
use futures::StreamExt;
use futures::future::join_all;
use polyloop::time::timeout;
use polyloop::{Combination, Runtime};
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use zbus::fdo::{DBusProxy, RequestNameFlags, RequestNameReply};

/// `nobody` on Debian.
const UNPRIVILEGED: u32 = 65_534;
/// How long the bus may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A bus with a folder of its own, both of which go with this.
struct Bus {
    daemon: Child,
    folder: PathBuf,
    address: String,
}

/// Where Debian has the bus' program.
fn program() -> Option<&'static Path> {
    Some(Path::new("/usr/bin/dbus-daemon")).filter(|program| program.exists())
}

/// A bus for whoever reaches its socket; it starts no services.
const CONFIGURATION: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir=FOLDER</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
"#;

impl Bus {
    fn start(program: &Path) -> Self {
        let folder = std::env::temp_dir().join(format!("polyloop-bus-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let configuration = folder.join("bus.conf");
        let text = CONFIGURATION.replace("FOLDER", folder.to_str().unwrap());
        std::fs::write(&configuration, text).unwrap();
        let mut command = Command::new(program);
        // It has no business with more rights than that.
        if std::fs::metadata(&folder).unwrap().uid() == 0 {
            chown(&folder, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
            command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
        }
        command.arg("--config-file").arg(&configuration).args(["--nofork", "--nopidfile", "--print-address"]);
        command.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut daemon = command.spawn().unwrap();
        // It says so when it listens.
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { daemon, folder, address: address.trim_end().to_owned() }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn rings(address: &str, name: String) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (server, client) = on_bus(address, &name, PATIENCE).await?;
    let bell = BellProxy::builder(&client).destination(name.clone()).build().await?;
    let mut rung = bell.receive_rung().await?;
    for n in 1..=3 {
        assert_eq!(bell.ring().await?, n);
        let told = rung.next().await.ok_or("the connection ended")?;
        assert_eq!(told.args()?.count(), &n);
    }
    assert_eq!(bell.rings().await?, 3);
    let error = bell.break_it().await.unwrap_err();
    assert!(error.to_string().contains("it does not break"), "{error}");

    // All at once, and together more than the sockets' buffers.
    let calls = (0..50_usize).map(|n| {
        let bell = bell.clone();
        polyloop::spawn(async move {
            let bytes = vec![n as u8; n * 1000];
            assert!(bell.echo(&bytes).await.unwrap() == bytes);
        })
    });
    join_all(calls.collect::<Vec<_>>()).await.into_iter().for_each(|call| call.unwrap());

    // A name has one owner. When that is gone, so is the name; the bus tells who listens.
    let bus = DBusProxy::new(&client).await?;
    let well_known = zbus::names::WellKnownName::try_from(name.clone())?;
    let second = bus.request_name(well_known, RequestNameFlags::DO_NOT_QUEUE).await?;
    assert_eq!(second, RequestNameReply::Exists);
    let bus_name = zbus::names::BusName::try_from(name.clone())?;
    let mut owners = bus.receive_name_owner_changed_with_args(&[(0, &name)]).await?;
    server.close().await?;
    let change = owners.next().await.ok_or("the connection ended")?;
    assert!(change.args()?.new_owner().is_none());
    assert!(!bus.name_has_owner(bus_name).await?);
    bell.ring().await.unwrap_err();
    Ok(())
}

#[test]
fn a_name_is_owned_and_called_over_a_bus_on_every_combination() {
    let Some(program) = program() else {
        return skip(
            "a_name_is_owned_and_called_over_a_bus_on_every_combination",
            "the bus is not installed (Debian's package `dbus-daemon`)",
        );
    };
    let bus = Bus::start(program);
    for combination in Combination::ALL {
        let combination = combination.to_string();
        let runtime = Runtime::from_name(&combination).unwrap();
        let (address, name) =
            (bus.address.clone(), format!("test.polyloop.{}", combination.replace('+', ".")));
        let called = name.clone();
        // As a task, so that it is polled where tasks are.
        let ringing = runtime.spawn(async move { timeout(PATIENCE, rings(&address, called)).await });
        let rung = runtime.block_on(ringing);
        rung.unwrap_or_else(|error| panic!("{combination}: {error}"))
            .unwrap_or_else(|late| panic!("{combination}: {late}"))
            .unwrap_or_else(|error| panic!("{combination}: {error}"));

        let mut program = Program::start(
            env!("CARGO_BIN_EXE_ring_on_bus"),
            &combination,
            [bus.address.as_str(), name.as_str()],
        );
        assert_eq!(program.line(), format!("{name} 1"));
        program.facts().assert_native(&combination);
        assert_eq!(program.finish(), "");
    }
}
