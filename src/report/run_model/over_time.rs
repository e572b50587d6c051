//! What an expect was found to be before it was decided, attempt by attempt; the same thing found again is said once.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::engine::events::event::{Body, Published, Seconds, expect_of};

/// So many findings of a row are kept one by one: the first and the last.
pub(in crate::report) const MOST: usize = 20;

/// The findings of a row, in their order.
#[derive(Clone, Debug, Default)]
pub(in crate::report) struct OverTime {
    pub found: Vec<Found>,
    /// How many there were between the first half of these and the second.
    pub left_out: usize,
}

/// The same thing, found once or more.
#[derive(Clone, Debug)]
pub(in crate::report) struct Found {
    pub first: Seconds,
    pub last: Seconds,
    pub times: u32,
    pub actual: String,
}

impl OverTime {
    fn add(&mut self, since: Seconds, actual: &str) {
        match self.found.last_mut() {
            Some(last) if last.actual == actual => {
                last.last = since;
                last.times += 1;
            }
            _ => self.found.push(Found { first: since, last: since, times: 1, actual: actual.to_owned() }),
        }
        if self.found.len() > MOST {
            self.found.remove(MOST / 2);
            self.left_out += 1;
        }
    }
}

/// The expects that are being polled.
#[derive(Default)]
pub(in crate::report) struct Polled {
    /// By the expect's id.
    expects: HashMap<String, Expect>,
}

struct Expect {
    began: Timestamp,
    /// By the row's id.
    rows: HashMap<String, OverTime>,
}

impl Polled {
    /// Takes an event; what a row was found to be, if it is one that ends it.
    pub fn take(&mut self, event: &Published) -> OverTime {
        let event = event.get();
        let row = event.place.expect.as_deref().unwrap_or_default();
        match &event.body {
            Body::ExpectStarted { .. } => {
                self.expects.insert(row.to_owned(), Expect { began: event.time, rows: HashMap::new() });
            }
            Body::ExpectAsked { actual, .. } => {
                if let Some(expect) = self.expect(row) {
                    let since = event.time.duration_since(expect.began);
                    let since = Seconds::from(std::time::Duration::try_from(since).unwrap_or_default());
                    expect.rows.entry(row.to_owned()).or_default().add(since, actual);
                }
            }
            Body::ExpectEnded(_) => {
                return self.expect(row).and_then(|expect| expect.rows.remove(row)).unwrap_or_default();
            }
            Body::GroupEnded { .. } | Body::StepStarted { .. } | Body::Resumed(_) => self.expects.clear(),
            _ => {}
        }
        OverTime::default()
    }

    fn expect(&mut self, row: &str) -> Option<&mut Expect> {
        let id = expect_of(row, |known| self.expects.contains_key(known)).to_owned();
        self.expects.get_mut(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seconds: u32, body: serde_json::Value) -> Published {
        let time = format!("2026-01-01T00:{:02}:{:02}Z", seconds / 60, seconds % 60);
        let mut event = serde_json::json!({ "seq": 1, "time": time });
        for (key, value) in body.as_object().expect("an object") {
            event[key] = value.clone();
        }
        Published::read(&event.to_string()).expect("an event")
    }

    fn asked(polled: &mut Polled, seconds: u32, actual: &str) {
        let body = serde_json::json!({
            "type": "expect-asked", "expect": "a.up.status", "attempt": 1, "state": "differs",
            "expected": "200", "actual": actual, "remaining": 1.0,
        });
        polled.take(&event(seconds, body));
    }

    #[test]
    fn the_same_thing_found_again_is_said_once_and_of_many_the_first_and_the_last() {
        let started = serde_json::json!({ "type": "expect-started", "expect": "a.up", "text": "up" });
        let ended = serde_json::json!({
            "type": "expect-ended", "expect": "a.up.status", "state": "holds", "text": "up", "expected": "200",
            "actual": "200", "attempts": 9, "elapsed": 1.0,
        });
        let mut polled = Polled::default();
        polled.take(&event(0, started.clone()));
        (1..=60).for_each(|second| asked(&mut polled, second, "503"));
        let over_time = polled.take(&event(61, ended.clone()));
        assert_eq!((over_time.found.len(), over_time.found[0].times, over_time.found[0].last.0), (1, 60, 60.0));
        // Started anew, it begins anew.
        polled.take(&event(100, started));
        (101..=201).for_each(|second| asked(&mut polled, second, &second.to_string()));
        let over_time = polled.take(&event(202, ended.clone()));
        assert_eq!((over_time.found.len(), over_time.left_out), (MOST, 101 - MOST));
        assert_eq!((&*over_time.found[0].actual, &*over_time.found[MOST - 1].actual), ("101", "201"));
        polled.take(&event(203, serde_json::json!({ "type": "group-ended", "ok": true })));
        assert!(polled.expects.is_empty() && polled.take(&event(204, ended)).found.is_empty());
    }
}
