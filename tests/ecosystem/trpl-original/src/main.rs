//! The book's programs, as they are, on an original `trpl` (0.3.0; in `trpl-older`, which is the same file, 0.2.0): those that use nothing
//! else. The book runs them as its own; called without an argument, it lists them.

#![forbid(unsafe_code)]

#[expect(dead_code, reason = "what is predicted is asked of the book's table")]
mod programs;

/// Where the programs look for it.
use polyloop_book::Predicted;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().is_none_or(|first| first != polyloop_book::ARGUMENT) {
        return programs::PROGRAMS.iter().for_each(|(name, _)| println!("{name}"));
    }
    let name = arguments.next().unwrap_or_default();
    match programs::PROGRAMS.iter().find(|(known, _)| *known == name) {
        Some((_, main)) => main(&arguments.collect::<Vec<_>>()),
        None => std::process::exit(2),
    }
}
