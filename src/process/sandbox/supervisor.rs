//! The supervisor of a confined probe: a thread that answers the calls which its filter puts to it (seccomp_unotify(2)).
//!
//! In: the listener of the filter, from the confined process itself, before it becomes the probe. Out: rulings, and notes of
//! what was refused. It ends with the last process of the probe. Should it end before, all such calls fail.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

use libc::c_long;
use rustix::event::{PollFd, PollFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use tokio::sync::oneshot;

use super::judge::Judge;
use super::process::Process;
use super::refusals::Refusals;
use super::ruling::{Call, Ruling};

/// Add the file and answer with its descriptor, in one (seccomp_unotify(2); Linux 5.14).
const ADD_AND_SEND: u32 = libc::SECCOMP_ADDFD_FLAG_SEND as u32;

/// Starts it. It waits for the listener until the other end of `passing` is closed everywhere. What it gives back ends with
/// it: when no process of the probe is left.
pub(super) fn start(passing: OwnedFd, judge: Judge, refusals: Refusals) -> std::io::Result<oneshot::Receiver<()>> {
    let (ended, over) = oneshot::channel();
    std::thread::Builder::new().name("probe-supervisor".to_owned()).stack_size(256 * 1024).spawn(move || {
        if let Some(listener) = receive(&passing) {
            drop(passing);
            refusals.enter();
            Supervisor { listener, judge, refusals, began: false }.serve();
        }
        // Nobody may wait for it any more.
        let _ = ended.send(());
    })?;
    Ok(over)
}

fn receive(passing: &OwnedFd) -> Option<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0_u8; 1];
    let mut buffer = [std::io::IoSliceMut::new(&mut byte)];
    loop {
        match rustix::net::recvmsg(passing, &mut buffer, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
            Ok(_) => break,
        }
    }
    control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    })
}

struct Supervisor {
    listener: OwnedFd,
    judge: Judge,
    refusals: Refusals,
    /// The probe's program has begun: before that, the process is still a copy of this one, on its way there.
    began: bool,
}

impl Supervisor {
    fn serve(&mut self) {
        loop {
            let mut waiting = [PollFd::new(&self.listener, PollFlags::IN)];
            match rustix::event::poll(&mut waiting, None) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) => {}
            }
            let happened = waiting[0].revents();
            if !happened.contains(PollFlags::IN) {
                // The last process under the filter is gone.
                return;
            }
            // SAFETY: numbers only; the kernel wants it zeroed.
            let mut notice: libc::seccomp_notif = unsafe { std::mem::zeroed() };
            if !self.control(libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notice) {
                // The call was interrupted, or its process is gone.
                continue;
            }
            self.answer(&notice);
        }
    }

    fn answer(&mut self, notice: &libc::seccomp_notif) {
        let call = Call {
            process: Process { thread: notice.pid as i32 },
            number: c_long::from(notice.data.nr),
            native: super::filter::ARCHITECTURE == Some(notice.data.arch),
            args: notice.data.args,
        };
        self.began = self.began || call.number != libc::SYS_execve || self.is_probe(&call);
        let ruling = if self.began { self.judge.rule(&call) } else { Ruling::Continue };
        let mut response = libc::seccomp_notif_resp { id: notice.id, val: 0, error: 0, flags: 0 };
        match ruling {
            Ruling::Continue => response.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
            Ruling::Fail(errno) => response.error = -errno,
            Ruling::Done(value) => response.val = value,
            Ruling::Give { file, close_on_exec } => match self.give(notice.id, &file, close_on_exec) {
                Some(0) => return,
                Some(descriptor) => response.val = descriptor,
                None => response.error = -libc::EMFILE,
            },
            Ruling::Refuse(errno, mut refusal) => {
                response.error = -errno;
                // A process that is gone has given its number to another: what was read was not its own.
                if self.control(libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const notice.id as *mut u64) {
                    let name = call.process.name();
                    if !name.is_empty() {
                        refusal.what = format!("{} ({name})", refusal.what);
                    }
                    self.refusals.note(refusal);
                }
            }
        }
        self.control(libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response);
    }

    /// Whether the process has become the probe's program: it is no copy of this one any more.
    fn is_probe(&self, call: &Call) -> bool {
        let of = |link: String| std::fs::read_link(link).ok();
        let (own, its) = (of("/proc/self/exe".to_owned()), of(format!("/proc/{}/exe", call.process.thread)));
        own.is_some() && its.is_some() && own != its
    }

    /// Puts a file among those that the process has open. `Some(0)`: and the call is answered with it.
    fn give(&self, id: u64, file: &OwnedFd, close_on_exec: bool) -> Option<i64> {
        let mut adding = libc::seccomp_notif_addfd {
            id,
            flags: ADD_AND_SEND,
            srcfd: file.as_raw_fd() as u32,
            newfd: 0,
            newfd_flags: if close_on_exec { libc::O_CLOEXEC as u32 } else { 0 },
        };
        let request = libc::SECCOMP_IOCTL_NOTIF_ADDFD;
        // SAFETY: a structure of the kind that the request takes.
        let added = unsafe { libc::ioctl(self.listener.as_raw_fd(), request, &raw mut adding) };
        if added >= 0 {
            return Some(0);
        }
        adding.flags = 0;
        // SAFETY: as above.
        let added = unsafe { libc::ioctl(self.listener.as_raw_fd(), request, &raw mut adding) };
        (added >= 0).then_some(i64::from(added))
    }

    fn control<T>(&self, request: libc::Ioctl, value: *mut T) -> bool {
        // SAFETY: each request is given a structure of the kind that it takes.
        unsafe { libc::ioctl(self.listener.as_raw_fd(), request, value) == 0 }
    }
}
