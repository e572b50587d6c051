//! Literals that carry a unit or a date: their text to their value. Used by the parser, and wherever a value is given as
//! text: `--set`, params files, `duration("…")`.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// `1h30m`, `500ms`, `1.5s`: numbers with units, from the largest to the smallest, each at most once.
pub fn duration(text: &str) -> Option<SignedDuration> {
    const UNITS: [(&str, i64); 6] = [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ];
    let mut rest = text;
    let mut smaller_than = 0;
    let mut nanos: i128 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.' && char != '_')?;
        let after = rest[digits..].find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(rest.len() - digits);
        let unit = &rest[digits..digits + after];
        let at = UNITS.iter().position(|(name, _)| *name == unit)?;
        if at < smaller_than {
            return None;
        }
        smaller_than = at + 1;
        nanos = nanos.checked_add(scaled(&rest[..digits], UNITS[at].1)?)?;
        rest = &rest[digits + after..];
    }
    let seconds = i64::try_from(nanos / 1_000_000_000).ok()?;
    Some(SignedDuration::new(seconds, (nanos % 1_000_000_000) as i32))
}

/// `512KiB`, `1.5GiB` (powers of 1024), `10MB` (powers of 1000), `0B`: in bytes.
pub fn size(text: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 9] = [
        ("B", 1),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];
    let digits = text.find(|char: char| char.is_ascii_alphabetic())?;
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == &text[digits..])?;
    i64::try_from(scaled(&text[..digits], *unit)?).ok()
}

/// `50%`, `99.9%`
pub fn percent(text: &str) -> Option<f64> {
    text.strip_suffix('%')?.replace('_', "").parse().ok().filter(|value: &f64| value.is_finite())
}

/// `2027-03-01T10:00:00Z` (RFC 3339), or `2027-03-01`, which is its midnight in UTC.
pub fn time(text: &str) -> Option<Timestamp> {
    if text.contains(['T', 't', ' ']) {
        return text.parse().ok();
    }
    let date: Date = text.parse().ok()?;
    date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// A decimal number times a unit, exactly; `None` where that is not whole or does not fit.
fn scaled(number: &str, unit: i64) -> Option<i128> {
    let number = number.replace('_', "");
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    if whole.is_empty() || whole.len() > 18 || fraction.len() > 18 || number.ends_with('.') {
        return None;
    }
    let ten = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = digits.checked_mul(i128::from(unit))?;
    // A part of a nanosecond or byte is rounded down.
    Some(scaled / ten)
}

/// Whether a text is a URL that can be asked (RFC 9110, section 4.2): `localhost:8080` is none.
pub fn is_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_in_order() {
        assert_eq!(duration("1h30m"), Some(SignedDuration::from_secs(5400)));
        assert_eq!(duration("1.5s"), Some(SignedDuration::from_millis(1500)));
        assert_eq!(duration("500ms"), Some(SignedDuration::from_millis(500)));
        assert_eq!(duration("7d"), Some(SignedDuration::from_hours(168)));
        for bad in ["", "30", "s", "30m1h", "1s1s", "1x", "1.s", ".5s", "99999999999999999999d"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_binary_or_decimal_as_they_say() {
        assert_eq!(size("1KiB"), Some(1024));
        assert_eq!(size("1KB"), Some(1000));
        assert_eq!(size("1.5GiB"), Some(1_610_612_736));
        assert_eq!(size("0B"), Some(0));
        for bad in ["1K", "KiB", "1 KiB", "1kib", "99999999999999TiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_date_is_its_midnight() {
        assert_eq!(time("2027-03-01"), time("2027-03-01T00:00:00Z"));
        assert_eq!(time("2027-13-01"), None);
    }
}
