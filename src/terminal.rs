//! The terminal, which one at a time has: who shows a run draws at its bottom; who asks a person has that cleared away first, and
//! nothing is drawn until they have answered.

use std::sync::{Arc, Mutex, MutexGuard, Weak};

/// Something that is drawn on the terminal again and again.
pub trait Drawn: Send {
    /// Clears it away, and keeps it so.
    fn aside(&mut self);
    /// It may be drawn again.
    fn back(&mut self);
}

type Shared = Weak<Mutex<dyn Drawn>>;

static DRAWN: Mutex<Option<Shared>> = Mutex::new(None);

/// Lets those who ask know what is drawn.
pub fn draws(drawn: Weak<Mutex<dyn Drawn>>) {
    *lock(&DRAWN) = Some(drawn);
}

/// As long as this lives, nothing is drawn.
#[must_use]
pub struct Aside(Option<Arc<Mutex<dyn Drawn>>>);

/// Has what is drawn cleared away.
pub fn aside() -> Aside {
    let drawn = lock(&DRAWN).as_ref().and_then(Weak::upgrade);
    if let Some(drawn) = &drawn {
        lock(drawn).aside();
    }
    Aside(drawn)
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(drawn) = &self.0 {
            lock(drawn).back();
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
