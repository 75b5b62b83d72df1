//! Numbers as people read them: three digits and the unit that fits.

/// A value with its unit. Nanoseconds become microseconds and so on; other units get a thousands prefix.
pub fn value(value: f64, unit: &str) -> String {
    match unit {
        "ns" => time(value),
        "µs" | "us" => time(value * 1e3),
        "ms" => time(value * 1e6),
        "s" => time(value * 1e9),
        "bytes" | "B" => {
            let (number, prefix) = scaled(value, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"]);
            format!("{number} {prefix}")
        }
        _ => {
            let (number, prefix) = scaled(value, 1000.0, &["", "k", "M", "G"]);
            format!("{number}{prefix} {unit}").trim_end().to_owned()
        }
    }
}

/// A length of time for a person who waits: `30 ms`, `1.25 s`, `48 s`, `2 min 5 s`.
pub fn duration(seconds: f64) -> String {
    if seconds == 0.0 {
        return "0 s".to_owned();
    }
    if seconds < 9.995 {
        return value(seconds, "s");
    }
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

fn time(nanoseconds: f64) -> String {
    let size = nanoseconds.abs();
    let (divisor, unit) = match size {
        _ if size < 999.5 => (1.0, "ns"),
        _ if size < 999.5e3 => (1e3, "µs"),
        _ if size < 999.5e6 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    format!("{} {unit}", digits(nanoseconds / divisor))
}

fn scaled<'a>(value: f64, step: f64, prefixes: &[&'a str]) -> (String, &'a str) {
    let mut value = value;
    let mut at = 0;
    while value.abs() >= step * 0.9995 && at + 1 < prefixes.len() {
        value /= step;
        at += 1;
    }
    (digits(value), prefixes[at])
}

/// Three significant digits, without an exponent.
pub fn digits(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || size >= 99.95 || (value.fract() == 0.0 && size < 1000.0) {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_the_unit_that_fits() {
        for (number, unit, expected) in [
            (61.234, "ns", "61.2 ns"),
            (999.7, "ns", "1.00 µs"),
            (9_812.0, "ns", "9.81 µs"),
            (1.5, "ms", "1.50 ms"),
            (0.25, "µs", "250 ns"),
            (123_456.0, "req/s", "123k req/s"),
            (12.0, "req/s", "12 req/s"),
            (2048.0, "bytes", "2 KiB"),
            (7.0, "", "7"),
            (0.0, "ns", "0 ns"),
        ] {
            assert_eq!(value(number, unit), expected);
        }
    }

    #[test]
    fn waiting_times() {
        assert_eq!(duration(0.0), "0 s");
        assert_eq!(duration(0.03), "30 ms");
        assert_eq!(duration(1.25), "1.25 s");
        assert_eq!(duration(9.999), "10 s");
        assert_eq!(duration(48.4), "48 s");
        assert_eq!(duration(125.0), "2 min 5 s");
        assert_eq!(duration(120.0), "2 min");
        assert_eq!(duration(3_660.0), "1 h 1 min");
    }
}
