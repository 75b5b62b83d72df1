//! Writes the programs of the guide's cookbook down as modules, so that they can be run on every combination.

use std::fmt::Write;
use std::path::Path;
use std::{env, error, fs};

const COOKBOOK: &str = "../docs/guide/cookbook.md";

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo::rerun-if-changed={COOKBOOK}");
    let cookbook = fs::read_to_string(COOKBOOK)?;
    let (mut modules, mut table) = (String::new(), String::new());
    for section in cookbook.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap_or_default();
        for (number, rest) in section.split("```rust\n").skip(1).enumerate() {
            let code = rest.split("```").next().unwrap_or_default();
            let name = format!("{}_{}", title.to_lowercase().replace(' ', "_"), number + 1);
            writeln!(modules, "mod {name} {{\n{code}")?;
            writeln!(modules, "pub(super) fn run() -> std::process::ExitCode {{ super::report(main) }}\n}}")?;
            writeln!(table, "({name:?}, {name}::run),")?;
        }
    }
    let written = format!("{modules}\n/// By title and number.\nconst RECIPES: &[Recipe] = &[{table}];\n");
    Ok(fs::write(Path::new(&env::var("OUT_DIR")?).join("cookbook.rs"), written)?)
}
