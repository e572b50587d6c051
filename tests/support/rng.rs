//! Numbers that look random and are the same each time: each case of a generated suite is named by its seed.

#![allow(dead_code)]

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Case `case` of a suite.
    pub fn of(suite: u64, case: u64) -> Self {
        Self(suite.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ case.wrapping_mul(0xd1b5_4a32_d192_ed03))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `from` up to, and without, `until`.
    pub fn range(&mut self, from: u64, until: u64) -> u64 {
        from + self.next() % (until - from).max(1)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.range(0, 100) < percent
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.range(0, of.len() as u64)).expect("small")]
    }
}

/// The cases to go through: all of them, or the one that `RUNBOOK_CASE` names.
pub fn cases(count: u64) -> Vec<u64> {
    match std::env::var("RUNBOOK_CASE").ok().and_then(|case| case.parse().ok()) {
        Some(case) => vec![case],
        None => (0..count).collect(),
    }
}
