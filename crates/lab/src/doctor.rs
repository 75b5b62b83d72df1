//! `lab doctor`: the machine card, and what would make numbers surer.

use crate::cell::{Catalogue, SubjectKind};
use crate::machine::{self, Machine};
use crate::table::{GREEN, YELLOW};
use polyloop_timeline::draw::BOLD;
use polyloop_timeline::text::clean;
use polyloop_timeline::units;
use std::fmt::Write as _;

/// The card.
pub(crate) fn render(catalogue: &dyn Catalogue) -> String {
    let before = crate::limits::open_files();
    let raised = crate::limits::raise_open_files();
    let machine = Machine::look();
    let mut out = String::new();
    let mut row = |name: &str, value: Option<String>| {
        let value = value.unwrap_or_else(|| "not told".into());
        let _ = writeln!(out, "{name:<18} {}", clean(&value));
    };
    row("processor", machine.cpu.clone());
    row("cores", machine.cores.map(|cores| cores.to_string()));
    row("virtual machine", machine.virtual_machine.map(|vm| if vm { "yes" } else { "no" }.into()));
    row("memory", machine.memory.map(|bytes| units::value(bytes as f64, "bytes")));
    row("system", machine.system.clone());
    row("kernel", machine.kernel.clone());
    row("load", machine.load.map(|load| format!("{load:.2}")));
    row("governor", machine.governor.clone());
    row("clock source", machine.clocksource.clone());
    row("open files", files(before, raised));
    row("compiler", machine::rustc());
    row("commit", machine::commit());
    row("peers", Some(peers(catalogue)));
    let cautions = machine.cautions();
    if cautions.is_empty() {
        let _ = writeln!(out, "\n{GREEN}Nothing here makes numbers less sure.{GREEN:#}");
    } else {
        let _ = writeln!(out, "\n{BOLD}What makes numbers less sure here{BOLD:#}");
    }
    for caution in cautions {
        let _ = writeln!(out, "  {YELLOW}!{YELLOW:#} {caution}");
    }
    let largest = catalogue.cases().into_iter().max_by_key(|case| case.files);
    if let (Some(case), Some(limit)) = (largest, raised)
        && case.files > limit
    {
        let _ = writeln!(
            out,
            "  {YELLOW}!{YELLOW:#} {} needs {} open files; raise the hard limit (ulimit -Hn) to run it",
            clean(&case.path),
            case.files
        );
    }
    out
}

fn files(before: Option<u64>, raised: Option<u64>) -> Option<String> {
    match (before, raised) {
        (Some(before), Some(raised)) if before != raised => Some(format!("{raised} (raised from {before})")),
        (_, raised) => raised.map(|raised| raised.to_string()),
    }
}

fn peers(catalogue: &dyn Catalogue) -> String {
    let peers: Vec<String> = catalogue
        .subjects()
        .into_iter()
        .filter(|subject| subject.kind == SubjectKind::Peer)
        .map(|subject| format!("{} ({})", subject.name, subject.version))
        .collect();
    if peers.is_empty() { "none in this build".into() } else { peers.join(", ") }
}
