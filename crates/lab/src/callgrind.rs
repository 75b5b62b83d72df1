//! What callgrind wrote about a process: how often each instruction ran, and from that what the process has cost.
//!
//! Invariant: nothing is estimated. Instructions and system calls are callgrind's totals, allocations its calls of libc's
//! functions. An atomic is an executed instruction whose bytes, read from the file that it came from, lock the bus or fence.

use std::collections::HashMap;
use std::fs;
use std::ops::Sub;

/// What valgrind is told, besides where to write.
pub(crate) const ARGUMENTS: [&str; 8] = [
    "--tool=callgrind",
    "--quiet",
    "--dump-instr=yes",
    "--dump-line=no",
    "--compress-pos=no",
    "--compress-strings=no",
    "--collect-systime=yes",
    "--fair-sched=try",
];

/// Under valgrind reading the clock is a system call, and nowhere else.
const CLOCK: &str = "clock_gettime";
/// By whose calls memory is counted.
const ALLOCATORS: [&str; 5] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"];

/// What a process did, all of its threads together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) instructions: i64,
    /// Locked instructions, exchanges with memory, and full fences. Only known of x86-64.
    pub(crate) atomics: i64,
    pub(crate) allocations: i64,
    pub(crate) syscalls: i64,
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            instructions: self.instructions - other.instructions,
            atomics: self.atomics - other.atomics,
            allocations: self.allocations - other.allocations,
            syscalls: self.syscalls - other.syscalls,
        }
    }
}

/// Reads what callgrind wrote with [`ARGUMENTS`].
///
/// # Errors
///
/// What is missing in it, in a few words.
pub(crate) fn read(text: &str) -> Result<Cost, String> {
    let mut cost = Cost::default();
    let mut objects: HashMap<&str, Option<Object>> = HashMap::new();
    let (mut object, mut callee, mut clock, mut ended) = ("", "", 0, false);
    let mut events: Vec<&str> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("0x") {
            let mut words = rest.split(' ');
            let address = words.next().and_then(|hex| u64::from_str_radix(hex, 16).ok());
            let count = words.next().and_then(|count| count.parse::<i64>().ok());
            if let (Some(address), Some(count)) = (address, count) {
                let bytes = objects.entry(object).or_insert_with(|| Object::open(object)).as_ref();
                if bytes.is_some_and(|file| is_atomic(file.at(address))) {
                    cost.atomics += count;
                }
            }
        } else if let Some(name) = line.strip_prefix("ob=") {
            object = name;
        } else if let Some(name) = line.strip_prefix("cfn=") {
            callee = name;
        } else if let Some(rest) = line.strip_prefix("calls=") {
            let calls: i64 = rest.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            match callee.split('@').next() {
                Some(name) if ALLOCATORS.contains(&name) => cost.allocations += calls,
                Some(CLOCK) => clock += calls,
                _ => {}
            }
            // What the call cost, which is counted where it was spent.
            lines.next();
        } else if let Some(rest) = line.strip_prefix("events: ") {
            events = rest.split(' ').collect();
        } else if let Some(rest) = line.strip_prefix("totals: ") {
            let total = |name| {
                let at = events.iter().position(|event| *event == name)?;
                rest.split(' ').nth(at)?.parse().ok()
            };
            cost.instructions = total("Ir").ok_or("no instructions in what callgrind wrote")?;
            cost.syscalls = total("sysCount").unwrap_or(0) - clock;
            ended = true;
        }
    }
    if ended { Ok(cost) } else { Err("what callgrind wrote has no end".into()) }
}

/// Whether these bytes begin an instruction of x86-64 that locks (by prefix, or as an exchange with memory does), or `mfence`.
fn is_atomic(code: &[u8]) -> bool {
    let prefix = |byte: &u8| matches!(byte, 0x2E | 0x36 | 0x3E | 0x26 | 0x64..=0x67 | 0xF2 | 0xF3);
    let code = &code[code.iter().take_while(|byte| prefix(byte)).count()..];
    if code.first() == Some(&0xF0) || code.starts_with(&[0x0F, 0xAE, 0xF0]) {
        return true;
    }
    let rex = usize::from(code.first().is_some_and(|byte| byte & 0xF0 == 0x40));
    matches!(code[rex.min(code.len())..], [0x86 | 0x87, operand, ..] if operand >> 6 != 3)
}

/// An executable or a library: its bytes, and where in them its addresses are.
struct Object {
    bytes: Vec<u8>,
    /// First address, length, place in the file.
    segments: Vec<(u64, u64, u64)>,
}

impl Object {
    /// `None` for what is no 64-bit little-endian ELF file.
    fn open(path: &str) -> Option<Self> {
        let bytes = fs::read(path).ok()?;
        if !bytes.starts_with(b"\x7fELF\x02\x01") {
            return None;
        }
        let number = |at: u64, length: usize| -> Option<u64> {
            let field = bytes.get(at as usize..at as usize + length)?;
            Some(field.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
        };
        const LOAD: u64 = 1;
        let (table, size, count) = (number(0x20, 8)?, number(0x36, 2)?, number(0x38, 2)?);
        let mut segments = Vec::new();
        for header in (0..count).map(|n| table + n * size) {
            if number(header, 4)? == LOAD {
                segments.push((number(header + 0x10, 8)?, number(header + 0x20, 8)?, number(header + 8, 8)?));
            }
        }
        Some(Self { bytes, segments })
    }

    /// The bytes from an address on, as many as an instruction may have.
    fn at(&self, address: u64) -> &[u8] {
        let inside = |(first, length, _): &&(u64, u64, u64)| (*first..*first + *length).contains(&address);
        let Some((first, _, place)) = self.segments.iter().find(inside) else { return &[] };
        let start = (address - first + place) as usize;
        self.bytes.get(start..(start + 15).min(self.bytes.len())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_instructions_exchanges_and_fences_are_atomics() {
        for (code, expected) in [
            (&[0xF0, 0x48, 0x0F, 0xC1, 0x07][..], true), // lock xadd [rdi], rax
            (&[0x66, 0xF0, 0x0F, 0xB1, 0x0F], true),     // lock cmpxchg [rdi], cx
            (&[0x48, 0x87, 0x07], true),                 // xchg [rdi], rax
            (&[0x86, 0x07], true),                       // xchg [rdi], al
            (&[0x0F, 0xAE, 0xF0], true),                 // mfence
            (&[0x48, 0x87, 0xC3], false),                // xchg rbx, rax
            (&[0x48, 0x89, 0x07], false),                // mov [rdi], rax
            (&[0x48], false),
            (&[], false),
        ] {
            assert_eq!(is_atomic(code), expected, "{code:x?}");
        }
    }

    #[test]
    fn costs_are_read_and_what_a_call_cost_is_not_counted_twice() {
        let text = "events: Ir sysCount sysTime\nob=/nowhere\nfn=main\n0x10 5\ncfn=malloc\ncalls=3 0x99 \n\
                    0x14 700\ncfn=free\ncalls=3 0x99 \n0x14 300\n0x15 1 2 9\ntotals: 1006 2 9\n";
        let expected = Cost { instructions: 1006, atomics: 0, allocations: 3, syscalls: 2 };
        assert_eq!(read(text), Ok(expected));
        assert!(read("events: Ir\n0x10 5\n").is_err(), "a file that was cut off");
    }

    /// This test's own executable: its first instruction is found, and nothing outside of it.
    #[cfg(target_os = "linux")]
    #[test]
    fn addresses_are_found_in_an_executable() {
        let own = std::env::current_exe().unwrap();
        let object = Object::open(own.to_str().unwrap()).unwrap();
        let entry = u64::from_le_bytes(object.bytes[0x18..0x20].try_into().unwrap());
        assert_eq!(object.at(entry).len(), 15);
        assert!(object.at(u64::MAX - 20).is_empty());
        assert!(Object::open("/nonexistent").is_none());
    }
}
