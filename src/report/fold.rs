//! Rows of evidence that say the same: of a check whose many expects all hold, one line is enough.
//!
//! In: rows as they come. Out: those to be told one by one, or how many there were. Nothing that does not hold is folded.

use crate::engine::events::event::{Body, Event, ExpectResult, Place, State};

/// So many rows of a check are told one by one.
const FEW: usize = 4;

/// Rows of one check that hold, kept back.
#[derive(Default)]
pub(super) struct Fold {
    check: String,
    rows: Vec<(Place, ExpectResult)>,
    /// How many more there are, where only these are counted, and how many of them hold as of now.
    more: usize,
    more_as_of_now: usize,
    counts: bool,
}

/// What was kept back.
pub(super) enum Kept {
    Rows(Vec<(Place, ExpectResult)>),
    /// More than are worth telling: the check, its rows, which hold, how many of these as of now.
    Many {
        place: Place,
        check: String,
        count: usize,
        as_of_now: usize,
        /// Each of them, for who does not only count them.
        rows: Vec<(Place, ExpectResult)>,
    },
}

impl Fold {
    /// For who tells how many there are of many, and nothing of each.
    pub fn counting() -> Self {
        Self { counts: true, ..Self::default() }
    }

    /// Keeps a row back if it is one more of the same check that holds. Otherwise what was kept so far comes first.
    pub fn keeps(&mut self, event: &Event, whole: impl FnOnce(Kept)) -> bool {
        match &event.body {
            // These tell nothing of their own.
            Body::Probed { .. }
            | Body::ExpectStarted { .. }
            | Body::ExpectAsked { .. }
            | Body::ExpectDecided { .. } => return false,
            Body::ExpectEnded(result) => {
                let place = &event.place;
                if let (State::Holds, Some(check)) = (result.state, &result.check) {
                    let same = self.rows.first().is_none_or(|(first, _)| {
                        self.check == *check
                            && (&first.step, first.part, &first.checklist, &first.possible)
                                == (&place.step, place.part, &place.checklist, &place.possible)
                    });
                    if !same {
                        self.out(whole);
                    }
                    self.check.clone_from(check);
                    if self.counts && self.rows.len() > FEW {
                        self.more += 1;
                        self.more_as_of_now += usize::from(result.as_of_now.is_some());
                    } else {
                        self.rows.push((place.clone(), (**result).clone()));
                    }
                    return true;
                }
            }
            _ => {}
        }
        self.out(whole);
        false
    }

    fn out(&mut self, whole: impl FnOnce(Kept)) {
        let rows = std::mem::take(&mut self.rows);
        let (more, more_as_of_now) = (std::mem::take(&mut self.more), std::mem::take(&mut self.more_as_of_now));
        if rows.is_empty() {
            return;
        }
        whole(match rows.len() {
            0..=FEW => Kept::Rows(rows),
            _ => {
                let as_of_now = rows.iter().filter(|(_, row)| row.as_of_now.is_some()).count();
                let place = rows.first().map(|(place, _)| place.clone()).unwrap_or_default();
                let (count, as_of_now) = (rows.len() + more, as_of_now + more_as_of_now);
                Kept::Many { place, check: std::mem::take(&mut self.check), count, as_of_now, rows }
            }
        });
    }
}
