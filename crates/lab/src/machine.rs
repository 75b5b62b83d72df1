//! The machine card: what a number was measured on.
//!
//! Invariant: nothing is guessed. What the system does not tell is `null`.

use serde::{Deserialize, Serialize};
use std::fs;

/// What the system says about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Operating system and architecture: `linux x86_64`.
    pub system: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The processor's name.
    pub cpu: Option<String>,
    /// How many threads can run at once, as this process may use them.
    pub cores: Option<usize>,
    /// Whether a hypervisor says that it is there.
    pub virtual_machine: Option<bool>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Load average over a minute, when the run began.
    pub load: Option<f64>,
    /// The frequency governor of the first core.
    pub governor: Option<String>,
    /// What the kernel reads the time from.
    pub clocksource: Option<String>,
    /// Whether the lab was compiled with optimisations.
    pub optimised: Option<bool>,
    /// How many files a process may open.
    pub open_files: Option<u64>,
}

impl Machine {
    /// Asks the system.
    #[must_use]
    pub fn look() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            system: Some(format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
            kernel: line("/proc/sys/kernel/osrelease"),
            cpu: field(&cpuinfo, "model name"),
            cores: std::thread::available_parallelism().ok().map(usize::from),
            virtual_machine: field(&cpuinfo, "flags")
                .map(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor")),
            memory: fs::read_to_string("/proc/meminfo")
                .ok()
                .and_then(|text| field(&text, "MemTotal")?.strip_suffix(" kB")?.trim().parse::<u64>().ok())
                .map(|kib| kib * 1024),
            load: line("/proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok()),
            governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            clocksource: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            optimised: Some(!cfg!(debug_assertions)),
            open_files: crate::limits::open_files(),
        }
    }

    /// The card in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.cpu.clone());
        if let Some(cores) = self.cores {
            parts.push(format!("{cores} core{}", if cores == 1 { "" } else { "s" }));
        }
        if self.virtual_machine == Some(true) {
            parts.push("virtual machine".into());
        }
        match (&self.system, &self.kernel) {
            (Some(system), Some(kernel)) => parts.push(format!("{system} {kernel}")),
            (Some(only), None) | (None, Some(only)) => parts.push(only.clone()),
            (None, None) => {}
        }
        if let Some(load) = self.load {
            parts.push(format!("load {load:.1}"));
        }
        if self.optimised == Some(false) {
            parts.push("not optimised".into());
        }
        parts.join(" · ")
    }

    /// What makes numbers less sure, if this build `measures`, and what to do about it.
    #[must_use]
    pub fn cautions_of(&self, measures: bool) -> Vec<String> {
        let mut cautions = self.cautions();
        if measures && self.optimised == Some(false) {
            cautions.insert(
                0,
                "the lab was built without optimisations: cargo xtask bench builds it with them".into(),
            );
        }
        cautions
    }

    /// What on this machine makes numbers less sure, and what to do about it.
    #[must_use]
    pub fn cautions(&self) -> Vec<String> {
        let mut cautions = Vec::new();
        if self.virtual_machine == Some(true) {
            cautions.push(
                "a virtual machine: neighbours and the hypervisor add noise; trust the noise floor, not one run".into(),
            );
        }
        if let Some(cores) = self.cores.filter(|cores| *cores < 4) {
            cautions.push(format!(
                "{cores} core{}: work stealing has little to steal for; more workers than cores is oversubscription",
                if cores == 1 { "" } else { "s" }
            ));
        }
        if let (Some(load), Some(cores)) = (self.load, self.cores)
            && load > 0.5 * cores as f64
        {
            cautions
                .push(format!("the machine is busy (load {load:.1}): close what else runs, or repeat later"));
        }
        if let Some(governor) = self.governor.as_deref().filter(|governor| *governor != "performance") {
            cautions.push(format!("frequency governor is {governor}: cpupower frequency-set -g performance"));
        }
        if let Some(clock) = self
            .clocksource
            .as_deref()
            .filter(|clock| !matches!(*clock, "tsc" | "kvm-clock" | "arch_sys_counter"))
        {
            cautions.push(format!("clock source is {clock}: reading the time is slow"));
        }
        cautions
    }
}

/// The commit of the sources that this binary was built from, with `-dirty` if tracked files were changed then.
pub(crate) fn commit() -> Option<String> {
    option_env!("POLYLOOP_LAB_COMMIT").map(str::to_owned)
}

/// The compiler that built this binary.
pub(crate) fn rustc() -> Option<String> {
    option_env!("POLYLOOP_LAB_RUSTC").map(str::to_owned)
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The value of the first `name: value` line.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "model\t\t: 1\nmodel name\t: Some CPU @ 2 GHz: fast\n";
        assert_eq!(field(text, "model name").as_deref(), Some("Some CPU @ 2 GHz: fast"));
        assert_eq!(field(text, "name"), None);
    }

    #[test]
    fn what_the_system_does_not_tell_is_left_out() {
        assert_eq!(Machine::default().line(), "");
        assert!(Machine::default().cautions().is_empty());
    }

    #[test]
    fn a_busy_small_unoptimised_machine_is_told_so() {
        let machine =
            Machine { cores: Some(2), load: Some(3.0), optimised: Some(false), ..Machine::default() };
        assert_eq!(machine.cautions().len(), 2);
        assert_eq!(machine.cautions_of(false).len(), 2, "experiments may be");
        assert_eq!(machine.cautions_of(true).len(), 3);
    }
}
