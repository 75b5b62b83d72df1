//! The book's programs, as they are, on the original `trpl` of the version before: those that use nothing else. Called with the
//! name of one; without, it lists them.

#![forbid(unsafe_code)]

#[path = "../../trpl-original/src/programs/mod.rs"]
#[expect(dead_code, reason = "what is predicted is asked of the book's table")]
mod programs;

/// Where the programs look for it.
use polyloop_book::Predicted;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        programs::PROGRAMS.iter().for_each(|(name, _)| println!("{name}"));
        return;
    };
    match programs::PROGRAMS.iter().find(|(known, _)| *known == name) {
        Some((_, main)) => main(&arguments.collect::<Vec<_>>()),
        None => std::process::exit(2),
    }
}
