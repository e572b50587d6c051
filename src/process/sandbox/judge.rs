//! What becomes of a call that is not on the filter's list.
//!
//! In: a call with its arguments. Out: a ruling. A call that would succeed or fail by itself, just as outside of the sandbox,
//! goes on; what Landlock would let through goes on, too, since Landlock is what holds it; all else is refused, and counted.
//! A ruling that lets a call go on rests on memory that the probe may change behind it, so it never decides what the kernel
//! does not decide once more: what only the supervisor guards (modes, owners, times, signals) it does itself, on the file
//! that it found.

use std::ffi::CString;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use libc::c_int;
use rustix::fs::{AtFlags, Mode, OFlags};

use super::names;
use super::process::{Found, Place, Process, process_of};
use super::refusals::Refusal;
use super::ruling::{Call, Ruling};
use super::socket;
use crate::process::procfs;

/// What a probe's calls are judged by.
pub(super) struct Judge {
    /// The private directory.
    pub private: PathBuf,
    /// The mark in the environment of the probe's processes.
    pub mark: String,
}

/// What a call does to a file.
enum Effect {
    Mode(u32),
    Owner(u32, u32),
    Times(Option<Vec<u8>>),
    Size(i64),
}

/// What a look at a file is answered with, and where.
enum Look {
    Stat { buffer: u64 },
    Extended { flags: c_int, mask: u32, buffer: u64 },
}

/// The links of a process in `/proc` (proc(5)).
const LINKS: [&str; 5] = ["exe", "cwd", "root", "fd", "ns"];

const AT: RawFd = libc::AT_FDCWD;

fn refuse(errno: c_int, what: String) -> Ruling {
    Ruling::Refuse(errno, Refusal { what, connection: false })
}

/// The memory that a call points to can't be read, so nothing can be said of it.
fn unseen(call: &Call) -> Ruling {
    refuse(libc::EPERM, format!("make the system call {}, whose arguments can't be seen", names::of(call.number)))
}

impl Judge {
    pub fn rule(&self, call: &Call) -> Ruling {
        if !call.native {
            return refuse(libc::EPERM, format!("make system call {} of another architecture", call.number));
        }
        self.of_files(call)
            .or_else(|| self.of_attributes(call))
            .or_else(|| self.of_processes(call))
            .or_else(|| socket::rule(call))
            .unwrap_or_else(|| refuse(libc::EPERM, format!("make the system call {}", names::of(call.number))))
    }

    /// Calls that open, make, rename, remove, or look at what a path names.
    fn of_files(&self, call: &Call) -> Option<Ruling> {
        let [a, b, c, d, e, _] = call.args;
        let fd = |arg: u64| arg as RawFd;
        let flag = |arg: u64, flag: c_int| arg as c_int & flag != 0;
        Some(match call.number {
            libc::SYS_openat => self.open(call, fd(a), b, c as c_int),
            libc::SYS_openat2 => match call.process.number(c) {
                Ok(flags) => self.open(call, fd(a), b, flags as c_int),
                Err(_) => unseen(call),
            },
            libc::SYS_execve => self.execute(call, AT, a, true),
            libc::SYS_execveat if flag(e, libc::AT_EMPTY_PATH) => match call.process.open_file(fd(a)) {
                Ok(found) => self.executes(&found),
                Err(_) => Ruling::Continue,
            },
            libc::SYS_execveat => self.execute(call, fd(a), b, !flag(e, libc::AT_SYMLINK_NOFOLLOW)),
            libc::SYS_newfstatat => self.look(call, fd(a), b, Look::Stat { buffer: c }),
            libc::SYS_statx => {
                self.look(call, fd(a), b, Look::Extended { flags: c as c_int, mask: d as u32, buffer: e })
            }
            libc::SYS_readlinkat => self.read_link(call, fd(a), b, c, d),
            libc::SYS_faccessat => self.access(call, fd(a), b, c as u32, 0),
            libc::SYS_faccessat2 => self.access(call, fd(a), b, c as u32, d as c_int),
            libc::SYS_mkdirat => self.make(call, fd(a), b, "make the directory"),
            libc::SYS_mknodat => self.make_node(call, fd(a), b, c as u32),
            libc::SYS_symlinkat => self.make(call, fd(b), c, "make the link"),
            libc::SYS_linkat => self.rename(call, [(fd(a), b), (fd(c), d)], "link"),
            libc::SYS_unlinkat => self.change(call, fd(a), b, "remove"),
            libc::SYS_renameat2 => self.rename(call, [(fd(a), b), (fd(c), d)], "rename"),
            libc::SYS_renameat => self.rename(call, [(fd(a), b), (fd(c), d)], "rename"),
            libc::SYS_truncate => self.attribute(call, AT, a, true, &Effect::Size(b as i64), "truncate"),
            _ => return self.of_files_as_once(call),
        })
    }

    /// The calls of x86-64 that later architectures no longer have.
    #[cfg(target_arch = "x86_64")]
    fn of_files_as_once(&self, call: &Call) -> Option<Ruling> {
        let [a, b, c, ..] = call.args;
        Some(match call.number {
            libc::SYS_open => self.open(call, AT, a, b as c_int),
            libc::SYS_creat => self.open(call, AT, a, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC),
            libc::SYS_stat => self.look(call, AT, a, Look::Stat { buffer: b }),
            libc::SYS_readlink => self.read_link(call, AT, a, b, c),
            libc::SYS_access => self.access(call, AT, a, b as u32, 0),
            libc::SYS_mkdir => self.make(call, AT, a, "make the directory"),
            libc::SYS_mknod => self.make_node(call, AT, a, b as u32),
            libc::SYS_symlink => self.make(call, AT, b, "make the link"),
            libc::SYS_link => self.rename(call, [(AT, a), (AT, b)], "link"),
            libc::SYS_unlink | libc::SYS_rmdir => self.change(call, AT, a, "remove"),
            libc::SYS_rename => self.rename(call, [(AT, a), (AT, b)], "rename"),
            libc::SYS_chmod => self.attribute(call, AT, a, true, &Effect::Mode(b as u32), "change the mode of"),
            libc::SYS_chown => {
                self.attribute(call, AT, a, true, &Effect::Owner(b as u32, c as u32), "change the owner of")
            }
            libc::SYS_lchown => {
                self.attribute(call, AT, a, false, &Effect::Owner(b as u32, c as u32), "change the owner of")
            }
            _ => return None,
        })
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn of_files_as_once(&self, _call: &Call) -> Option<Ruling> {
        None
    }

    /// Calls that change what is known of a file: in the private directory they are made in the probe's stead.
    fn of_attributes(&self, call: &Call) -> Option<Ruling> {
        let [a, b, c, d, e, _] = call.args;
        let fd = |arg: u64| arg as RawFd;
        let follow = |flags: u64| flags as c_int & libc::AT_SYMLINK_NOFOLLOW == 0;
        const MODE: &str = "change the mode of";
        const OWNER: &str = "change the owner of";
        Some(match call.number {
            libc::SYS_fchmodat => self.attribute(call, fd(a), b, true, &Effect::Mode(c as u32), MODE),
            libc::SYS_fchmodat2 => self.attribute(call, fd(a), b, follow(d), &Effect::Mode(c as u32), MODE),
            libc::SYS_fchmod => self.attribute_of_open(call, fd(a), &Effect::Mode(b as u32), MODE),
            libc::SYS_fchownat if e as c_int & libc::AT_EMPTY_PATH != 0 => {
                self.attribute_of_open(call, fd(a), &Effect::Owner(c as u32, d as u32), OWNER)
            }
            libc::SYS_fchownat => self.attribute(call, fd(a), b, follow(e), &Effect::Owner(c as u32, d as u32), OWNER),
            libc::SYS_fchown => self.attribute_of_open(call, fd(a), &Effect::Owner(b as u32, c as u32), OWNER),
            libc::SYS_utimensat => {
                let times = if c == 0 { Ok(None) } else { call.process.read(c, 32).map(Some) };
                let Ok(times) = times else { return Some(unseen(call)) };
                let effect = Effect::Times(times);
                if b == 0 {
                    self.attribute_of_open(call, fd(a), &effect, "change the times of")
                } else {
                    self.attribute(call, fd(a), b, follow(d), &effect, "change the times of")
                }
            }
            _ => return None,
        })
    }

    /// Calls that reach another process, or change who this one is.
    fn of_processes(&self, call: &Call) -> Option<Ruling> {
        let [a, b, c, ..] = call.args;
        let id = |arg: u64| arg as i32;
        Some(match call.number {
            libc::SYS_kill => self.signal(call, id(a), id(b)),
            libc::SYS_tkill => self.signal(call, id(a), id(b)),
            libc::SYS_tgkill | libc::SYS_rt_tgsigqueueinfo => self.signal(call, id(a), id(c)),
            libc::SYS_rt_sigqueueinfo => self.signal(call, id(a), id(b)),
            libc::SYS_pidfd_send_signal => match pid_behind(call.process, id(a)) {
                Some(pid) => self.signal(call, pid, id(b)),
                None => Ruling::Fail(libc::EBADF),
            },
            libc::SYS_prlimit64 if id(a) == 0 || id(a) == call.process.group() => limit(call, b, c),
            libc::SYS_setrlimit => limit(call, a, b),
            libc::SYS_prlimit64 => refuse(libc::EPERM, format!("reach the limits of process {}", id(a))),
            libc::SYS_setpriority if id(a) == 0 && id(b) == 0 && (0..20).contains(&id(c)) => Ruling::Continue,
            libc::SYS_setpriority => refuse(libc::EPERM, "change a priority".to_owned()),
            libc::SYS_setuid | libc::SYS_setreuid | libc::SYS_setresuid | libc::SYS_setfsuid => {
                same_id(call, rustix::process::geteuid().as_raw())
            }
            libc::SYS_setgid | libc::SYS_setregid | libc::SYS_setresgid | libc::SYS_setfsgid => {
                same_id(call, rustix::process::getegid().as_raw())
            }
            libc::SYS_ioctl => control(call),
            libc::SYS_flock => match call.process.open_file(id(a)) {
                Ok(found) if self.is_private(&found.path) => Ruling::Continue,
                Ok(found) => refuse(libc::EPERM, format!("lock {} for itself", found.path.display())),
                Err(_) => Ruling::Continue,
            },
            _ => return None,
        })
    }

    fn find(&self, call: &Call, directory: RawFd, path: u64, follow: bool) -> Result<Place, Ruling> {
        let path = call.process.path(path).map_err(|_| unseen(call))?;
        Ok(call.process.find(directory, &path, follow))
    }

    fn is_private(&self, path: &Path) -> bool {
        path.starts_with(&self.private) && path != self.private
    }

    fn open(&self, call: &Call, directory: RawFd, path: u64, flags: c_int) -> Ruling {
        // Of what is there already; making what is not there is another matter.
        let writes = flags & libc::O_ACCMODE != libc::O_RDONLY || flags & libc::O_TRUNC != 0;
        let temporary = flags & libc::O_TMPFILE == libc::O_TMPFILE;
        let follow =
            flags & libc::O_NOFOLLOW == 0 && flags & (libc::O_CREAT | libc::O_EXCL) != libc::O_CREAT | libc::O_EXCL;
        let place = match self.find(call, directory, path, follow) {
            Ok(place) => place,
            Err(ruling) => return ruling,
        };
        let for_writing = |path: &Path| refuse(libc::EACCES, format!("open {} for writing", path.display()));
        if flags & libc::O_PATH != 0 {
            return self.looks(call, place);
        }
        match place {
            Place::There(found) => {
                if is_terminal_of_its_own(&found) {
                    return Ruling::Fail(libc::ENXIO);
                }
                let created_anew = flags & (libc::O_CREAT | libc::O_EXCL) == libc::O_CREAT | libc::O_EXCL;
                // These fail by themselves, before anybody is asked for a permission.
                if created_anew || (writes && found.kind() == libc::S_IFDIR && !temporary) {
                    return Ruling::Continue;
                }
                match found.kind() {
                    libc::S_IFCHR if is_harmless_device(&found, writes) => Ruling::Continue,
                    libc::S_IFCHR | libc::S_IFBLK => {
                        refuse(libc::EACCES, format!("open the device {}", found.path.display()))
                    }
                    libc::S_IFIFO if found.path.to_string_lossy().starts_with("pipe:[") => Ruling::Continue,
                    libc::S_IFIFO if !self.is_private(&found.path) => {
                        refuse(libc::EACCES, format!("open the pipe {}", found.path.display()))
                    }
                    libc::S_IFSOCK => Ruling::Continue,
                    // What has no name any more is its own, or it could not have it open.
                    _ if writes && found.path.starts_with("/memfd:") => Ruling::Continue,
                    _ if writes && temporary && found.path == self.private => Ruling::Continue,
                    _ if writes && !self.is_private(&found.path) => for_writing(&found.path),
                    _ if writes => Ruling::Continue,
                    _ => self.reads(call, &found, flags),
                }
            }
            Place::Missing { directory, name } if flags & libc::O_CREAT != 0 => {
                if self.is_private(&name) || directory.path == self.private {
                    Ruling::Continue
                } else {
                    for_writing(&name)
                }
            }
            Place::Process(path) if writes || flags & libc::O_CREAT != 0 => for_writing(&path),
            Place::Process(path) => self.process_link(call, &path),
            Place::Missing { .. } | Place::Nowhere => Ruling::Continue,
        }
    }

    /// Reading what a path names. What `/proc` tells of other processes is closed to a domain of Landlock (landlock(7), "Ptrace
    /// restrictions"), and outside of it is open to who may trace them: so it is opened in the probe's stead, as its user.
    fn reads(&self, call: &Call, found: &Found, flags: c_int) -> Ruling {
        /// Judged when they are opened.
        const OPENED: [&str; 7] = ["environ", "auxv", "maps", "smaps", "smaps_rollup", "numa_maps", "fdinfo"];
        /// Judged when they are read, or more than reading.
        const CLOSED: [&str; 13] = [
            "mem",
            "io",
            "stack",
            "syscall",
            "personality",
            "pagemap",
            "map_files",
            "ns",
            "timerslack_ns",
            "clear_refs",
            "patch_state",
            "ksm_stat",
            "timers",
        ];
        /// Closed to root without its capabilities, or empty to it.
        const OF_KERNEL: [&str; 9] = [
            "/proc/kmsg",
            "/proc/kcore",
            "/proc/kallsyms",
            "/proc/kpagecount",
            "/proc/kpageflags",
            "/proc/kpagecgroup",
            "/proc/iomem",
            "/proc/ioports",
            "/proc/vmallocinfo",
        ];
        let path = &found.path;
        if !path.starts_with("/proc") {
            return Ruling::Continue;
        }
        if rustix::process::geteuid().is_root() && OF_KERNEL.iter().any(|file| path == Path::new(file)) {
            return refuse(libc::EACCES, format!("read {}", path.display()));
        }
        match process_of(path) {
            Some((Some(id), file)) if OPENED.contains(&&*file) && id != call.process.group() => {
                let opening = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
                match rustix::fs::open(found.own_path(), opening, Mode::empty()) {
                    Ok(file) => Ruling::Give { file, close_on_exec: flags & libc::O_CLOEXEC != 0 },
                    Err(error) => Ruling::Fail(error.raw_os_error()),
                }
            }
            Some((Some(id), file)) if CLOSED.contains(&&*file) && !self.is_own(call, id) => {
                refuse(libc::EACCES, format!("read {}", path.display()))
            }
            _ => Ruling::Continue,
        }
    }

    /// A path through a link of a process: its own are open to it.
    fn process_link(&self, call: &Call, path: &Path) -> Ruling {
        match process_of(path) {
            Some((Some(id), _)) if !self.is_own(call, id) => refuse(libc::EACCES, format!("follow {}", path.display())),
            _ => Ruling::Continue,
        }
    }

    /// readlink(2). Where the links of another process lead, its domain may not see: it is told.
    fn read_link(&self, call: &Call, directory: RawFd, path: u64, buffer: u64, size: u64) -> Ruling {
        let Ok(text) = call.process.path(path) else { return unseen(call) };
        let base = if text.is_absolute() { PathBuf::new() } else { call.process.directory(directory) };
        let path = base.join(text);
        match process_of(&path) {
            Some((Some(id), name)) if LINKS.contains(&&*name) && id != call.process.group() => {
                match std::fs::read_link(&path) {
                    Ok(target) => {
                        let bytes = target.as_os_str().as_bytes();
                        let length = bytes.len().min(size as usize);
                        tell(call, buffer, &bytes[..length], length as i64)
                    }
                    Err(error) => Ruling::Fail(error.raw_os_error().unwrap_or(libc::EACCES)),
                }
            }
            _ => Ruling::Continue,
        }
    }

    /// stat(2), statx(2).
    fn look(&self, call: &Call, directory: RawFd, path: u64, answer: Look) -> Ruling {
        let text = match call.process.path(path) {
            Ok(text) => text,
            // A null path means the descriptor itself, which is open to it.
            Err(_) if path == 0 => return Ruling::Continue,
            Err(_) => return unseen(call),
        };
        let Place::Process(path) = call.process.find(directory, &text, true) else { return Ruling::Continue };
        match process_of(&path) {
            Some((Some(id), name)) if LINKS.contains(&&*name) && id != call.process.group() => {
                let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return Ruling::Fail(libc::EINVAL) };
                answer.tell(call, &path)
            }
            _ => Ruling::Continue,
        }
    }

    fn looks(&self, call: &Call, place: Place) -> Ruling {
        match place {
            Place::Process(path) => self.process_link(call, &path),
            _ => Ruling::Continue,
        }
    }

    /// access(2): what the program itself may do, with the capabilities that its user has outside of the sandbox.
    fn access(&self, call: &Call, directory: RawFd, path: u64, mode: u32, flags: c_int) -> Ruling {
        if flags & libc::AT_EMPTY_PATH != 0 {
            return Ruling::Continue;
        }
        let place = match self.find(call, directory, path, flags & libc::AT_SYMLINK_NOFOLLOW == 0) {
            Ok(place) => place,
            Err(ruling) => return ruling,
        };
        match place {
            Place::There(found) if mode & (libc::W_OK | libc::X_OK) as u32 != 0 => {
                let flags = if flags & libc::AT_EACCESS != 0 { AtFlags::EACCESS } else { AtFlags::empty() };
                let mode = rustix::fs::Access::from_bits_truncate(mode);
                match rustix::fs::accessat(rustix::fs::CWD, found.own_path(), mode, flags) {
                    Ok(()) => Ruling::Done(0),
                    Err(error) => Ruling::Fail(error.raw_os_error()),
                }
            }
            place => self.looks(call, place),
        }
    }

    fn make_node(&self, call: &Call, directory: RawFd, path: u64, mode: u32) -> Ruling {
        match mode & libc::S_IFMT {
            libc::S_IFCHR | libc::S_IFBLK => refuse(libc::EPERM, "make a device".to_owned()),
            _ => self.make(call, directory, path, "make"),
        }
    }

    fn make(&self, call: &Call, directory: RawFd, path: u64, verb: &str) -> Ruling {
        match self.find(call, directory, path, false) {
            Err(ruling) => ruling,
            Ok(Place::Missing { directory, name }) if directory.path != self.private && !self.is_private(&name) => {
                refuse(libc::EACCES, format!("{verb} {}", name.display()))
            }
            Ok(Place::Process(path)) => refuse(libc::EACCES, format!("{verb} {}", path.display())),
            // It stands there already, or what it would stand in does not: it fails by itself.
            Ok(_) => Ruling::Continue,
        }
    }

    fn change(&self, call: &Call, directory: RawFd, path: u64, verb: &str) -> Ruling {
        match self.find(call, directory, path, false) {
            Err(ruling) => ruling,
            Ok(Place::There(found)) if !self.is_private(&found.path) => {
                refuse(libc::EACCES, format!("{verb} {}", found.path.display()))
            }
            Ok(Place::Process(path)) => refuse(libc::EACCES, format!("{verb} {}", path.display())),
            Ok(_) => Ruling::Continue,
        }
    }

    /// A second name, or another one, for what is there.
    fn rename(&self, call: &Call, [from, to]: [(RawFd, u64); 2], verb: &str) -> Ruling {
        match self.find(call, from.0, from.1, false) {
            Err(ruling) => ruling,
            // What is not there can't be renamed, wherever to.
            Ok(Place::Missing { .. } | Place::Nowhere) => Ruling::Continue,
            Ok(Place::There(found)) if !self.is_private(&found.path) => {
                refuse(libc::EACCES, format!("{verb} {}", found.path.display()))
            }
            Ok(Place::Process(path)) => refuse(libc::EACCES, format!("{verb} {}", path.display())),
            Ok(_) => match self.change(call, to.0, to.1, "replace") {
                Ruling::Continue => self.make(call, to.0, to.1, "make"),
                other => other,
            },
        }
    }

    fn attribute(&self, call: &Call, directory: RawFd, path: u64, follow: bool, effect: &Effect, verb: &str) -> Ruling {
        match self.find(call, directory, path, follow) {
            Err(ruling) => ruling,
            Ok(Place::There(found)) => self.apply(&found, effect, verb),
            Ok(Place::Process(path)) => refuse(libc::EPERM, format!("{verb} {}", path.display())),
            Ok(Place::Missing { .. }) => Ruling::Fail(libc::ENOENT),
            // Why it fails, the kernel knows; but it must not carry it out, should the path lead elsewhere by then.
            Ok(Place::Nowhere) => Ruling::Fail(libc::ENOENT),
        }
    }

    fn attribute_of_open(&self, call: &Call, descriptor: RawFd, effect: &Effect, verb: &str) -> Ruling {
        match call.process.open_file(descriptor) {
            Ok(found) => self.apply(&found, effect, verb),
            Err(_) => Ruling::Fail(libc::EBADF),
        }
    }

    /// Changes a private file in the probe's stead: the very file that was found, wherever its path leads by then.
    fn apply(&self, found: &Found, effect: &Effect, verb: &str) -> Ruling {
        if !self.is_private(&found.path) && found.path != self.private {
            return refuse(libc::EPERM, format!("{verb} {}", found.path.display()));
        }
        let Ok(path) = CString::new(found.own_path()) else { return Ruling::Fail(libc::EINVAL) };
        let file = found.file.as_raw_fd();
        // SAFETY: a path and a buffer that outlive the calls; each takes the handle that `found` holds.
        let result = unsafe {
            match effect {
                // No program of another user or group comes out of it.
                Effect::Mode(mode) => libc::chmod(path.as_ptr(), mode & 0o1777),
                Effect::Owner(owner, group) => libc::fchownat(file, c"".as_ptr(), *owner, *group, libc::AT_EMPTY_PATH),
                Effect::Times(times) => {
                    let mut of = [libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_NOW }; 2];
                    if let Some(bytes) = times.as_ref().filter(|bytes| bytes.len() == size_of_val(&of)) {
                        std::ptr::copy_nonoverlapping(bytes.as_ptr(), of.as_mut_ptr().cast::<u8>(), bytes.len());
                    }
                    libc::utimensat(file, c"".as_ptr(), of.as_ptr(), libc::AT_EMPTY_PATH)
                }
                Effect::Size(size) => libc::truncate(path.as_ptr(), *size),
            }
        };
        if result == 0 { Ruling::Done(0) } else { Ruling::Fail(last_errno()) }
    }

    fn execute(&self, call: &Call, directory: RawFd, path: u64, follow: bool) -> Ruling {
        match self.find(call, directory, path, follow) {
            Ok(Place::There(found)) => self.executes(&found),
            Ok(Place::Process(path)) => self.process_link(call, &path),
            Ok(_) => Ruling::Continue,
            Err(ruling) => ruling,
        }
    }

    /// A program would run with fewer rights than it has outside: what it then says is no fact.
    fn executes(&self, found: &Found) -> Ruling {
        match lost_rights(found) {
            Some(rights) => refuse(libc::EPERM, format!("run {} {rights}", found.path.display())),
            None => Ruling::Continue,
        }
    }

    fn signal(&self, call: &Call, target: i32, signal: i32) -> Ruling {
        let group = target < 0;
        let id = target.unsigned_abs() as i32;
        if target == 0 || (target > 0 && id == call.process.group()) {
            return Ruling::Continue;
        }
        if target != -1 && self.is_own(call, id) {
            return Ruling::Continue;
        }
        // Whether somebody is there is only a question, and the supervisor may ask what the probe's user may.
        // SAFETY: takes no pointers; signal 0 is never delivered (kill(2)).
        let there = unsafe { libc::kill(target, 0) };
        if there != 0 && (signal == 0 || last_errno() == libc::ESRCH) {
            return Ruling::Fail(last_errno());
        }
        if signal == 0 {
            return Ruling::Done(0);
        }
        let whom = if target == -1 {
            "all processes".to_owned()
        } else if group {
            format!("process group {id}")
        } else {
            id.to_string()
        };
        refuse(libc::EPERM, format!("kill {whom}"))
    }

    /// Whether a process is one of this probe's.
    fn is_own(&self, call: &Call, id: i32) -> bool {
        id == call.process.group()
            || id == call.process.thread
            || procfs::processes_of(|mark| mark == self.mark, None).iter().any(|process| process.pid == id)
            || procfs::is_thread_of(call.process.group(), id)
    }
}

/// Writes an answer where the call wants it.
fn tell(call: &Call, buffer: u64, bytes: &[u8], result: i64) -> Ruling {
    match call.process.write(buffer, bytes) {
        Ok(()) => Ruling::Done(result),
        Err(_) => Ruling::Fail(libc::EFAULT),
    }
}

impl Look {
    /// Looks in the probe's stead, as its user.
    fn tell(self, call: &Call, path: &CString) -> Ruling {
        // SAFETY: a path and a structure of the kind that each call fills; the bytes of plain numbers.
        unsafe {
            match self {
                Look::Stat { buffer } => {
                    let mut stat: libc::stat = std::mem::zeroed();
                    if libc::stat(path.as_ptr(), &raw mut stat) != 0 {
                        return Ruling::Fail(last_errno());
                    }
                    tell(call, buffer, std::slice::from_raw_parts((&raw const stat).cast(), size_of_val(&stat)), 0)
                }
                Look::Extended { flags, mask, buffer } => {
                    let mut stat: libc::statx = std::mem::zeroed();
                    if libc::statx(AT, path.as_ptr(), flags, mask, &raw mut stat) != 0 {
                        return Ruling::Fail(last_errno());
                    }
                    tell(call, buffer, std::slice::from_raw_parts((&raw const stat).cast(), size_of_val(&stat)), 0)
                }
            }
        }
    }
}

impl Process {
    /// The path of a directory that it has open, or of its own.
    fn directory(self, descriptor: RawFd) -> PathBuf {
        let link = if descriptor == libc::AT_FDCWD { "cwd".to_owned() } else { format!("fd/{descriptor}") };
        std::fs::read_link(format!("/proc/{}/{link}", self.thread)).unwrap_or_default()
    }
}

fn last_errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EPERM)
}

/// `/dev/tty`: the probe has no terminal, as a program that is started by no person has none.
fn is_terminal_of_its_own(found: &Found) -> bool {
    found.kind() == libc::S_IFCHR && found.stat.st_rdev == libc::makedev(5, 0)
}

/// Devices that neither keep nor lose anything (null(4), full(4), random(4)). Written to only where Landlock lets it.
fn is_harmless_device(found: &Found, writes: bool) -> bool {
    let device = (libc::major(found.stat.st_rdev), libc::minor(found.stat.st_rdev));
    match device {
        (1, 3) | (1, 5) | (1, 7) => {
            !writes || super::WRITABLE_DEVICES.iter().any(|device| found.path == Path::new(device))
        }
        (1, 8) | (1, 9) => !writes,
        _ => false,
    }
}

/// What a program has outside of the sandbox, and would not have in it.
pub(super) fn lost_rights(found: &Found) -> Option<&'static str> {
    let stat = &found.stat;
    if found.kind() != libc::S_IFREG || stat.st_mode & 0o111 == 0 {
        return None;
    }
    let user = rustix::process::geteuid();
    if stat.st_mode & libc::S_ISUID != 0 && stat.st_uid != user.as_raw() {
        return Some("as its owner (set-user-ID)");
    }
    if stat.st_mode & libc::S_ISGID != 0
        && stat.st_mode & 0o010 != 0
        && stat.st_gid != rustix::process::getegid().as_raw()
    {
        return Some("as its group (set-group-ID)");
    }
    if user.is_root() {
        // Without CAP_DAC_OVERRIDE root runs only what its bits let it (path_resolution(7)).
        let own = stat.st_uid == 0 && stat.st_mode & 0o100 != 0;
        return (!own && stat.st_mode & 0o001 == 0).then_some("with the capabilities of root");
    }
    let mut value = [0_u8; 32];
    let capabilities = rustix::fs::getxattr(found.own_path(), "security.capability", &mut value);
    capabilities.is_ok().then_some("with its file capabilities")
}

/// prlimit(2) of itself: to raise a hard limit, root would need a capability that it does not have here.
fn limit(call: &Call, resource: u64, new: u64) -> Ruling {
    if new == 0 || !rustix::process::geteuid().is_root() {
        return Ruling::Continue;
    }
    let Ok(hard) = call.process.number(new.wrapping_add(8)) else { return unseen(call) };
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: asks for a limit, and sets none.
    let asked = unsafe {
        libc::prlimit(call.process.group(), resource as libc::__rlimit_resource_t, std::ptr::null(), &raw mut now)
    };
    if asked == 0 && hard > now.rlim_max {
        return refuse(libc::EPERM, "raise a limit of its own".to_owned());
    }
    Ruling::Continue
}

fn same_id(call: &Call, own: u32) -> Ruling {
    let count = match call.number {
        libc::SYS_setresuid | libc::SYS_setresgid => 3,
        libc::SYS_setreuid | libc::SYS_setregid => 2,
        _ => 1,
    };
    if call.args[..count].iter().all(|id| *id as u32 == own || *id as u32 == u32::MAX) {
        return Ruling::Continue;
    }
    refuse(libc::EPERM, format!("become user or group {}", call.args[0] as u32))
}

/// ioctl(2): a few questions, to what is no device.
fn control(call: &Call) -> Ruling {
    const FS_IOC_GETFLAGS: u32 = 0x8008_6601;
    const FS_IOC_FIEMAP: u32 = 0xc020_660b;
    const FICLONE: u32 = 0x4004_9409;
    const QUESTIONS: [u32; 10] = [
        libc::TCGETS as u32,
        libc::TCGETS2 as u32,
        libc::TIOCGWINSZ as u32,
        libc::TIOCGPGRP as u32,
        libc::TIOCGSID as u32,
        libc::FIONREAD as u32,
        libc::FIOQSIZE as u32,
        FS_IOC_GETFLAGS,
        FS_IOC_FIEMAP,
        // A copy into a file that is open for writing: a private one.
        FICLONE,
    ];
    let request = call.args[1] as u32;
    let Ok(found) = call.process.open_file(call.args[0] as RawFd) else { return Ruling::Fail(libc::EBADF) };
    let device = matches!(found.kind(), libc::S_IFCHR | libc::S_IFBLK);
    if QUESTIONS.contains(&request) {
        if !device || is_harmless_device(&found, false) {
            return Ruling::Continue;
        }
        return refuse(libc::EACCES, format!("ask the device {}", found.path.display()));
    }
    refuse(libc::EPERM, format!("control {} (ioctl {request:#x})", found.path.display()))
}

/// The process that a descriptor of pidfd_open(2) stands for.
fn pid_behind(process: Process, descriptor: RawFd) -> Option<i32> {
    let told = std::fs::read_to_string(format!("/proc/{}/fdinfo/{descriptor}", process.thread)).ok()?;
    told.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()
}
