//! A workspace as `cargo metadata` tells it: members, their edges and their targets. Nothing is fetched.
//!
//! There are two: the one at the root, and `tests/ecosystem` with everything that foreign crates are needed for. A template is a third
//! one, a stranger's.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::exec;
use crate::stop::Stop;

/// Crates whose default features bring so much to build (TLS, HTML) that a first `cargo xtask test` would wait for minutes. What
/// only checks, as clippy does, has them whole.
const LEAN: &[&str] = &["polyloop-trpl"];

/// Where the foreign crates are, below the root.
pub(crate) const ECOSYSTEM: &str = "tests/ecosystem";

/// All members and where they are.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Where cargo is to be called: at the root, or below it for the other workspace.
    pub(crate) home: PathBuf,
    /// Where cargo builds; honours `CARGO_TARGET_DIR`.
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One member. Paths are relative to the root, with `/`, in both workspaces.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manifest: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
    /// Whether it has features that are on unless said otherwise.
    pub(crate) has_defaults: bool,
}

/// One edge out of a member.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) dev: bool,
    /// `cfg(…)`, if it holds only there.
    pub(crate) target: Option<String>,
}

/// One thing that cargo builds.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) source: String,
}

impl Workspace {
    /// The workspace at the root.
    pub(crate) fn load() -> Result<Self, Stop> {
        Self::load_at(exec::root())
    }

    /// The one with the foreign crates, which are built beside ours: what both need is built once.
    pub(crate) fn ecosystem() -> Result<Self, Stop> {
        Self::beside(ECOSYSTEM)
    }

    /// The project at `path`, a stranger's. Cargo keeps its own crates and features apart from ours by their places and names.
    pub(crate) fn template(path: &str) -> Result<Self, Stop> {
        Self::beside(path)
    }

    fn beside(path: &str) -> Result<Self, Stop> {
        let own = Self::load()?;
        Ok(Self { target: own.target, ..Self::load_at(own.root.join(path))? })
    }

    fn load_at(home: PathBuf) -> Result<Self, Stop> {
        let mut cargo = Command::new("cargo");
        cargo.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
        cargo.current_dir(&home);
        let text = exec::output(&mut cargo)?;
        let data: Value =
            serde_json::from_str(&text).map_err(|error| Stop::Failed(format!("cargo metadata: {error}")))?;
        let root = exec::root();
        let packages = list(&data["packages"]).iter().map(|package| Package::read(package, &root)).collect();
        Ok(Self { target: PathBuf::from(string(&data["target_directory"])), packages, home, root })
    }

    /// `cargo`, called where it finds this workspace.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = exec::cargo(arguments);
        command.current_dir(&self.home).env("CARGO_TARGET_DIR", &self.target);
        if self.home != self.root {
            // A template says nothing of it, and what differs in it is built again.
            command.env("CARGO_PROFILE_DEV_DEBUG", "0");
        }
        command
    }

    /// What to tell cargo, besides which `packages` it shall build, so that the parts of them that are heavy are left out: those
    /// behind the default features of the crates in [`LEAN`]. Nothing, if none of these is among them.
    pub(crate) fn lean(packages: &[&Package]) -> Vec<String> {
        let is_lean = |package: &&&Package| LEAN.contains(&package.name.as_str());
        if !packages.iter().any(|package| is_lean(&package)) {
            return Vec::new();
        }
        let others = packages.iter().filter(|package| !is_lean(package) && package.has_defaults);
        let defaults: Vec<String> = others.map(|package| format!("{}/default", package.name)).collect();
        vec!["--no-default-features".to_owned(), format!("--features={}", defaults.join(","))]
    }

    /// The member called `name`; `core` means `polyloop-core`.
    pub(crate) fn member(&self, name: &str) -> Result<&Package, Stop> {
        let found = self.packages.iter().find(|package| package.name == name || package.short() == name);
        found.ok_or_else(|| Stop::Usage(format!("there is no crate `{name}` in this workspace")))
    }
}

impl Package {
    fn read(data: &Value, root: &Path) -> Self {
        let dependency = |data: &Value| Dependency {
            name: string(&data["name"]),
            dev: data["kind"] == "dev",
            target: data["target"].as_str().map(str::to_owned),
        };
        let target = |data: &Value| Target {
            name: string(&data["name"]),
            kind: data["kind"].get(0).map(string).unwrap_or_default(),
            source: relative(root, &string(&data["src_path"])),
        };
        Self {
            name: string(&data["name"]),
            version: string(&data["version"]),
            manifest: relative(root, &string(&data["manifest_path"])),
            dependencies: list(&data["dependencies"]).iter().map(dependency).collect(),
            targets: list(&data["targets"]).iter().map(target).collect(),
            has_defaults: !data["features"]["default"].is_null(),
        }
    }

    /// The name without the family's: `core` for `polyloop-core`, `http` for `ecosystem-http`.
    pub(crate) fn short(&self) -> &str {
        short(&self.name)
    }

    /// The folder, with a `/` at its end.
    pub(crate) fn folder(&self) -> &str {
        self.manifest.strip_suffix("Cargo.toml").unwrap_or(&self.manifest)
    }

    /// Whether there is a target of one of these kinds.
    pub(crate) fn has(&self, kinds: &[&str]) -> bool {
        self.targets.iter().any(|target| kinds.contains(&target.kind.as_str()))
    }
}

/// `core` for `polyloop-core`, `http` for `ecosystem-http`; other names stay.
pub(crate) fn short(name: &str) -> &str {
    ["polyloop-", "ecosystem-"].iter().find_map(|family| name.strip_prefix(family)).unwrap_or(name)
}

fn list(data: &Value) -> &[Value] {
    data.as_array().map_or(&[], Vec::as_slice)
}

fn string(data: &Value) -> String {
    data.as_str().unwrap_or_default().to_owned()
}

fn relative(root: &Path, path: &str) -> String {
    let path = Path::new(path);
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, has_defaults: bool) -> Package {
        Package {
            name: name.into(),
            version: "0.1.0".into(),
            manifest: format!("crates/{name}/Cargo.toml"),
            dependencies: Vec::new(),
            targets: Vec::new(),
            has_defaults,
        }
    }

    #[test]
    fn only_a_heavy_crate_changes_what_is_built_and_only_its_own_part() {
        let (facade, core, heavy) =
            (package("polyloop", true), package("polyloop-core", false), package("polyloop-trpl", true));
        assert_eq!(Workspace::lean(&[&facade, &core]), [""; 0]);
        assert_eq!(
            Workspace::lean(&[&facade, &core, &heavy]),
            ["--no-default-features", "--features=polyloop/default"]
        );
        assert_eq!(Workspace::lean(&[&heavy]), ["--no-default-features", "--features="]);
    }
    #[test]
    fn what_the_tests_build_holds_neither_tls_nor_html() {
        let workspace = Workspace::load().unwrap();
        let lean = Workspace::lean(&workspace.packages.iter().collect::<Vec<_>>());
        let tree = |flags: &[String]| {
            let words =
                ["tree", "--workspace", "--edges=normal,build,dev", "--prefix=none", "--format={lib}"];
            exec::output(workspace.cargo(&words).args(flags)).unwrap()
        };
        let holds = |tree: &str, name: &str| tree.lines().any(|line| line.starts_with(name));
        let lean = tree(&lean);
        assert!(holds(&lean, "trpl") && holds(&lean, "tokio_stream"), "{lean}");
        for heavy in ["ring", "rustls", "hyper", "scraper"] {
            assert!(!holds(&lean, heavy), "{heavy}");
        }
    }
}
