//! Room on the disk for the end of a run.
//!
//! A file that is written has blocks of its own ahead of its end (fallocate(2)), so that nothing else can take them. What
//! the run does in the ordinary way may only be written as long as the reserve still stands behind it; what ends the run
//! (`finally`, the rollback, the verdict) is then written into the reserve.

use std::fs::File;
use std::io;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// How much is kept where the disk has it.
const MOST: u64 = 256 * 1024;

/// With less than this, and as much again to begin with, no run begins.
const LEAST: u64 = 16 * 1024;

/// Room behind the end of a file.
#[derive(Debug)]
pub struct Room {
    /// Up to where the file has blocks.
    ahead: u64,
    /// How much of it is for the end of the run. Nothing: the file system can't keep room.
    reserve: u64,
    /// How long a file may become (RLIMIT_FSIZE).
    limit: u64,
}

impl Room {
    /// Keeps room behind the end of a file, which is at `end`: as much as there is, for a small disk less.
    pub fn keep(file: &File, end: u64) -> io::Result<Self> {
        let limit = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
        let mut room = Self { ahead: end, reserve: MOST, limit };
        loop {
            // As much again is what the run may write before it needs more.
            match room.allocate(file, end + 2 * room.reserve) {
                Ok(()) => return Ok(room),
                Err(error) if is_full(&error) && room.reserve > LEAST => room.reserve /= 2,
                Err(error) if is_full(&error) => return Err(error),
                Err(_) => return Ok(Self { reserve: 0, ..room }),
            }
        }
    }

    /// Whether the file may be written up to `end` with the reserve still behind it.
    pub fn up_to(&mut self, file: &File, end: u64) -> io::Result<()> {
        let needed = end + self.reserve;
        if self.reserve == 0 || needed <= self.ahead {
            return Ok(());
        }
        self.allocate(file, needed + MOST).or_else(|_| self.allocate(file, needed))
    }

    fn allocate(&mut self, file: &File, to: u64) -> io::Result<()> {
        if to > self.limit {
            return Err(Errno::FBIG.into());
        }
        loop {
            match fallocate(file, FallocateFlags::KEEP_SIZE, self.ahead, to - self.ahead) {
                Ok(()) => {
                    self.ahead = to;
                    return Ok(());
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives back what was not used.
    pub fn give_back(&self, file: &File) {
        if self.reserve > 0
            && let Ok(meta) = file.metadata()
        {
            let _ = file.set_len(meta.len());
        }
    }
}

/// Whether an error says that there is no room: on the disk, in a quota, or by a limit on the size of files.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
