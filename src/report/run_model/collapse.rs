//! Rows of evidence that say the same: of a check whose many expects all hold, one line is enough.
//!
//! In: rows as they come. Out: those to be shown one by one, or [`Collapsed`]. Nothing that does not hold is collapsed.

use crate::engine::events::event::{Body, Place, Published, State};

/// So many rows of a check are shown one by one.
const FEW: usize = 4;

/// Who collapses rows, and what becomes of those that are collapsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Collapsing {
    /// Each row is shown.
    Never,
    /// They are only counted, so that a million of them take no memory.
    Counted,
    /// Each can be unfolded.
    Kept,
}

/// Rows of one check that hold: more than are worth showing.
#[derive(Clone)]
pub(in crate::report) struct Collapsed {
    pub place: Place,
    pub check: String,
    pub count: usize,
    /// How many of them hold as of now, and how many on what an action declares it sets.
    pub as_of_now: usize,
    pub assumed: usize,
    /// Each of them, where they are kept.
    pub rows: Vec<Published>,
}

/// What was kept back.
pub(super) enum Released {
    Rows(Vec<Published>),
    Collapsed(Box<Collapsed>),
}

/// Rows of one check that hold, kept back until it is known how many there are.
pub(super) struct Collapse {
    how: Collapsing,
    kept: Option<Collapsed>,
}

impl Collapse {
    pub fn new(how: Collapsing) -> Self {
        Self { how, kept: None }
    }

    /// Whether a row is kept back, as one more of a check that holds. Where it is not, what was kept so far comes before it.
    pub fn keeps(&mut self, event: &Published) -> bool {
        let (Body::ExpectEnded(result), place) = (&event.get().body, &event.get().place) else { return false };
        let (Collapsing::Counted | Collapsing::Kept, State::Holds, Some(check)) =
            (self.how, result.state, &result.check)
        else {
            return false;
        };
        let kept = self.kept.get_or_insert_with(|| Collapsed {
            place: place.clone(),
            check: check.clone(),
            count: 0,
            as_of_now: 0,
            assumed: 0,
            rows: Vec::new(),
        });
        if kept.check != *check || !alike(&kept.place, place) {
            return false;
        }
        kept.count += 1;
        kept.as_of_now += usize::from(result.as_of_now.is_some());
        kept.assumed += usize::from(result.assumed.is_some());
        if self.how == Collapsing::Kept || kept.count <= FEW {
            kept.rows.push(event.clone());
        } else {
            kept.rows.clear();
        }
        true
    }

    /// What was kept back, as another entry comes.
    pub fn release(&mut self) -> Option<Released> {
        let kept = self.kept.take()?;
        match kept.count {
            0 => None,
            count if count <= FEW => Some(Released::Rows(kept.rows)),
            _ => Some(Released::Collapsed(Box::new(kept))),
        }
    }
}

/// Whether two rows belong to the same place.
fn alike(one: &Place, other: &Place) -> bool {
    (&one.step, one.part, &one.checklist, &one.possible, one.not_reached)
        == (&other.step, other.part, &other.checklist, &other.possible, other.not_reached)
}
