//! Times, for people.

use std::time::Duration;

use crate::engine::events::event::Seconds;

/// Day and time, as this host's calendar and wall show them, and of which zone that is.
pub fn wall(time: jiff::Timestamp) -> String {
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// `1.2s`, `35ms`, `2m05s`: short, for people.
pub fn time(seconds: Seconds) -> String {
    let duration = seconds.duration();
    if duration < Duration::from_secs(1) {
        return format!("{}ms", duration.as_millis());
    }
    if duration < Duration::from_secs(60) {
        return format!("{:.1}s", duration.as_secs_f64());
    }
    match duration.as_secs() % 60 {
        0 => format!("{}m", duration.as_secs() / 60),
        seconds => format!("{}m{seconds:02}s", duration.as_secs() / 60),
    }
}
