//! Everything that a probe might try to get out of its sandbox: each a system call or two, made directly.
//!
//! In: the name of a try, and what it is tried on, as `NAME=VALUE` arguments. Out: exit code 0, whatever came of it: a probe that
//! hides its failure. `list` prints every try with the words that its refusal has to hold.

use std::collections::HashMap;
use std::ffi::CString;

use libc::{c_long, syscall};

/// What a try is made on.
struct On(HashMap<String, String>);

impl On {
    fn text(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| panic!("{name} is given"))
    }

    fn path(&self, name: &str) -> CString {
        CString::new(self.text(name)).expect("no NUL")
    }

    fn number(&self, name: &str) -> c_long {
        self.text(name).parse().expect("a number")
    }

    /// A path of the world outside: `victim` is a file, `folder` a directory.
    fn inside(&self, name: &str) -> CString {
        CString::new(format!("{}/{name}", std::env::var("TMPDIR").expect("a private directory"))).expect("no NUL")
    }

    fn within(&self, name: &str) -> CString {
        CString::new(format!("{}/{name}", self.text("folder"))).expect("no NUL")
    }

    /// The victim, open to be read.
    fn open(&self) -> c_long {
        open(&self.path("victim"), libc::O_RDONLY)
    }
}

type Try = fn(&On);

const FDCWD: c_long = libc::AT_FDCWD as c_long;

fn open(path: &CString, flags: i32) -> c_long {
    // SAFETY: a path that lives as long as the call.
    unsafe { syscall(libc::SYS_openat, FDCWD, path.as_ptr(), flags, 0o600) }
}

fn call(number: c_long, args: [c_long; 6]) -> c_long {
    // SAFETY: each try passes what the call takes; the sandbox is to refuse it.
    unsafe { syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]) }
}

fn at<T>(value: &T) -> c_long {
    std::ptr::from_ref(value) as c_long
}

fn path(path: &CString) -> c_long {
    path.as_ptr() as c_long
}

/// A socket address in bytes, and its length.
fn inet(port: c_long) -> [u8; 16] {
    let mut address = [0; 16];
    address[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    address[2..4].copy_from_slice(&(port as u16).to_be_bytes());
    address[4..8].copy_from_slice(&[127, 0, 0, 1]);
    address
}

fn inet6(port: c_long) -> [u8; 28] {
    let mut address = [0; 28];
    address[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
    address[2..4].copy_from_slice(&(port as u16).to_be_bytes());
    address[23] = 1;
    address
}

fn unix(name: &str, abstracted: bool) -> ([u8; 110], c_long) {
    let mut address = [0; 110];
    address[..2].copy_from_slice(&(libc::AF_UNIX as u16).to_ne_bytes());
    let from = 2 + usize::from(abstracted);
    address[from..from + name.len()].copy_from_slice(name.as_bytes());
    (address, (from + name.len() + usize::from(!abstracted)) as c_long)
}

fn socket(domain: i32, kind: i32) -> c_long {
    call(libc::SYS_socket, [domain.into(), kind.into(), 0, 0, 0, 0])
}

fn message(name: c_long, length: c_long) -> [c_long; 8] {
    static mut BYTE: u8 = b'x';
    static mut PART: [c_long; 2] = [0, 1];
    // SAFETY: one thread, and nothing else refers to these.
    let part = unsafe {
        PART[0] = (&raw const BYTE) as c_long;
        (&raw const PART) as c_long
    };
    [name, length, part, 1, 0, 0, 0, 0]
}

fn fork_group(on: &On) -> c_long {
    -on.number("group")
}

macro_rules! tries {
    ($($name:literal, $words:literal, $do:expr;)*) => {
        const TRIES: &[(&str, &str, Try)] = &[$(($name, $words, $do)),*];
    };
}

tries! {
    // Files outside: contents and names.
    "open-write", "for writing", |on| { open(&on.path("victim"), libc::O_WRONLY); };
    "open-read-write", "for writing", |on| { open(&on.path("victim"), libc::O_RDWR); };
    "open-append", "for writing", |on| { open(&on.path("victim"), libc::O_WRONLY | libc::O_APPEND); };
    "open-truncate", "for writing", |on| { open(&on.path("victim"), libc::O_RDONLY | libc::O_TRUNC); };
    "open-create", "for writing", |on| { open(&on.within("new"), libc::O_RDONLY | libc::O_CREAT); };
    "open-create-exclusive", "for writing", |on| { open(&on.within("new"), libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL); };
    "open-temporary", "for writing", |on| { open(&on.path("folder"), libc::O_WRONLY | libc::O_TMPFILE); };
    "open-relative", "for writing", |on| {
        std::env::set_current_dir(on.text("folder")).expect("there");
        open(&c"victim".to_owned(), libc::O_WRONLY);
    };
    "open-at", "for writing", |on| {
        let folder = open(&on.path("folder"), libc::O_RDONLY | libc::O_DIRECTORY);
        call(libc::SYS_openat, [folder, path(&c"victim".to_owned()), libc::O_WRONLY.into(), 0, 0, 0]);
    };
    "open-through-a-link", "for writing", |on| {
        let link = on.inside("link");
        call(libc::SYS_symlinkat, [path(&on.path("victim")), FDCWD, path(&link), 0, 0, 0]);
        open(&link, libc::O_WRONLY);
    };
    "open-above-the-private-directory", "for writing", |on| { open(&on.inside("../of-another-probe"), libc::O_WRONLY | libc::O_CREAT); };
    "open-own-root", "for writing", |on| {
        let through = CString::new(format!("/proc/self/root{}", on.text("victim"))).expect("no NUL");
        open(&through, libc::O_WRONLY);
    };
    "open2-write", "for writing", |on| {
        let how: [u64; 3] = [libc::O_WRONLY as u64, 0, 0];
        call(libc::SYS_openat2, [FDCWD, path(&on.path("victim")), at(&how), 24, 0, 0]);
    };
    "truncate", "truncate", |on| { call(libc::SYS_truncate, [path(&on.path("victim")), 0, 0, 0, 0, 0]); };
    "mkdirat", "make the directory", |on| { call(libc::SYS_mkdirat, [FDCWD, path(&on.within("new")), 0o755, 0, 0, 0]); };
    "mkfifo", "make", |on| { call(libc::SYS_mknodat, [FDCWD, path(&on.within("new")), (libc::S_IFIFO | 0o600).into(), 0, 0, 0]); };
    "mknod-character", "make a device", |on| {
        call(libc::SYS_mknodat, [FDCWD, path(&on.within("new")), (libc::S_IFCHR | 0o600).into(), 0x103, 0, 0]);
    };
    "mknod-block-private", "make a device", |on| {
        call(libc::SYS_mknodat, [FDCWD, path(&on.inside("disk")), (libc::S_IFBLK | 0o600).into(), 0x700, 0, 0]);
    };
    "symlinkat", "make the link", |on| { call(libc::SYS_symlinkat, [path(&on.path("victim")), FDCWD, path(&on.within("new")), 0, 0, 0]); };
    "linkat", "link /", |on| {
        call(libc::SYS_linkat, [FDCWD, path(&on.path("victim")), FDCWD, path(&on.within("new")), 0, 0]);
    };
    "unlinkat", "remove", |on| { call(libc::SYS_unlinkat, [FDCWD, path(&on.path("victim")), 0, 0, 0, 0]); };
    "rmdir", "remove", |on| { call(libc::SYS_unlinkat, [FDCWD, path(&on.within("empty")), libc::AT_REMOVEDIR.into(), 0, 0, 0]); };
    "rename-outside", "rename", |on| {
        call(libc::SYS_renameat2, [FDCWD, path(&on.path("victim")), FDCWD, path(&on.within("new")), 0, 0]);
    };
    "rename-in", "rename", |on| {
        call(libc::SYS_renameat2, [FDCWD, path(&on.path("victim")), FDCWD, path(&on.inside("mine")), 0, 0]);
    };
    "rename-over", "replace", |on| {
        let mine = on.inside("mine");
        open(&mine, libc::O_WRONLY | libc::O_CREAT);
        call(libc::SYS_renameat2, [FDCWD, path(&mine), FDCWD, path(&on.path("victim")), 0, 0]);
    };
    "rename-out", "make", |on| {
        let mine = on.inside("mine");
        open(&mine, libc::O_WRONLY | libc::O_CREAT);
        call(libc::SYS_renameat2, [FDCWD, path(&mine), FDCWD, path(&on.within("new")), 0, 0]);
    };
    "name-to-handle-open", "open_by_handle_at", |_| { call(libc::SYS_open_by_handle_at, [FDCWD, 0, 0, 0, 0, 0]); };
    "write-proc-self", "for writing", |_| { open(&c"/proc/self/oom_score_adj".to_owned(), libc::O_WRONLY); };
    "write-sysctl", "for writing", |_| { open(&c"/proc/sys/kernel/hostname".to_owned(), libc::O_WRONLY); };
    "write-shared-memory", "for writing", |_| { open(&c"/dev/shm/runbook-try".to_owned(), libc::O_RDWR | libc::O_CREAT); };
    "read-a-pipe", "open the pipe", |on| { open(&on.path("fifo"), libc::O_RDONLY | libc::O_NONBLOCK); };
    "open-a-device-by-own-root", "open the device", |on| {
        let through = CString::new(format!("/proc/self/root{}", on.text("terminal"))).expect("no NUL");
        open(&through, libc::O_RDONLY | libc::O_NOCTTY);
    };
    "open-a-device", "open the device", |on| { open(&on.path("terminal"), libc::O_RDONLY | libc::O_NOCTTY); };
    "open-a-new-terminal", "open the device", |_| { open(&c"/dev/ptmx".to_owned(), libc::O_RDWR | libc::O_NOCTTY); };
    "write-random", "open the device", |_| { open(&c"/dev/urandom".to_owned(), libc::O_WRONLY); };

    // Files outside: what is known of them.
    "fchmodat", "change the mode", |on| { call(libc::SYS_fchmodat, [FDCWD, path(&on.path("victim")), 0o777, 0, 0, 0]); };
    "fchmodat2", "change the mode", |on| { call(452, [FDCWD, path(&on.path("victim")), 0o777, 0, 0, 0]); };
    "fchmod", "change the mode", |on| { call(libc::SYS_fchmod, [on.open(), 0o777, 0, 0, 0, 0]); };
    "fchmod-through-a-link", "change the mode", |on| {
        let link = on.inside("link");
        call(libc::SYS_symlinkat, [path(&on.path("victim")), FDCWD, path(&link), 0, 0, 0]);
        call(libc::SYS_fchmodat, [FDCWD, path(&link), 0o777, 0, 0, 0]);
    };
    "fchownat", "change the owner", |on| { call(libc::SYS_fchownat, [FDCWD, path(&on.path("victim")), 1, 1, 0, 0]); };
    "fchown", "change the owner", |on| { call(libc::SYS_fchown, [on.open(), 1, 1, 0, 0, 0]); };
    "fchownat-empty", "change the owner", |on| {
        call(libc::SYS_fchownat, [on.open(), path(&c"".to_owned()), 1, 1, libc::AT_EMPTY_PATH.into(), 0]);
    };
    "utimensat", "change the times", |on| { call(libc::SYS_utimensat, [FDCWD, path(&on.path("victim")), 0, 0, 0, 0]); };
    "futimens", "change the times", |on| { call(libc::SYS_utimensat, [on.open(), 0, 0, 0, 0, 0]); };
    "setxattr", "setxattr", |on| { call(libc::SYS_setxattr, [path(&on.path("victim")), path(&c"user.x".to_owned()), path(&c"y".to_owned()), 1, 0, 0]); };
    "lsetxattr", "lsetxattr", |on| { call(libc::SYS_lsetxattr, [path(&on.path("victim")), path(&c"user.x".to_owned()), path(&c"y".to_owned()), 1, 0, 0]); };
    "fsetxattr", "fsetxattr", |on| { call(libc::SYS_fsetxattr, [on.open(), path(&c"user.x".to_owned()), path(&c"y".to_owned()), 1, 0, 0]); };
    "removexattr", "removexattr", |on| { call(libc::SYS_removexattr, [path(&on.path("victim")), path(&c"user.x".to_owned()), 0, 0, 0, 0]); };
    "fremovexattr", "fremovexattr", |on| { call(libc::SYS_fremovexattr, [on.open(), path(&c"user.x".to_owned()), 0, 0, 0, 0]); };
    "setxattrat", "setxattrat", |on| { call(463, [FDCWD, path(&on.path("victim")), 0, path(&c"user.x".to_owned()), 0, 0]); };
    "removexattrat", "removexattrat", |on| { call(466, [FDCWD, path(&on.path("victim")), 0, path(&c"user.x".to_owned()), 0, 0]); };
    "file_setattr", "file_setattr", |on| { call(469, [FDCWD, path(&on.path("victim")), 0, 0, 0, 0]); };
    "chattr", "control", |on| {
        let flags: c_long = 0x10;
        call(libc::SYS_ioctl, [on.open(), 0x4008_6602, at(&flags), 0, 0, 0]);
    };
    "chattr-extended", "control", |on| {
        let flags = [0_u64; 4];
        call(libc::SYS_ioctl, [on.open(), 0x401c_5820, at(&flags), 0, 0, 0]);
    };
    "freeze", "control", |on| { call(libc::SYS_ioctl, [on.open(), 0xc004_5877, 0, 0, 0, 0]); };
    "lock-exclusive", "lock", |on| { call(libc::SYS_flock, [on.open(), (libc::LOCK_EX | libc::LOCK_NB).into(), 0, 0, 0, 0]); };
    "lease", "fcntl", |on| { call(libc::SYS_fcntl, [on.open(), libc::F_SETLEASE.into(), libc::F_RDLCK.into(), 0, 0, 0]); };
    "directory-notice", "fcntl", |on| { call(libc::SYS_fcntl, [open(&on.path("folder"), libc::O_DIRECTORY), 1026, 1, 0, 0, 0]); };
    "owner-of-signals", "fcntl", |on| { call(libc::SYS_fcntl, [1, libc::F_SETOWN.into(), on.number("process"), 0, 0, 0]); };
    "owner-of-signals-extended", "fcntl", |on| {
        let owner = [1_i32, on.number("process") as i32];
        call(libc::SYS_fcntl, [1, 15, at(&owner), 0, 0, 0]);
    };
    "signal-of-input", "fcntl", |_| { call(libc::SYS_fcntl, [1, 10, libc::SIGKILL.into(), 0, 0, 0]); };
    "asynchronous-input", "control", |_| {
        let on: i32 = 1;
        call(libc::SYS_ioctl, [1, 0x5452, at(&on), 0, 0, 0]);
    };
    "type-into-a-terminal", "control", |_| {
        let byte = b'x';
        call(libc::SYS_ioctl, [0, libc::TIOCSTI as c_long, at(&byte), 0, 0, 0]);
    };
    "set-a-terminal", "control", |_| {
        let settings = [0_u8; 64];
        call(libc::SYS_ioctl, [0, libc::TCSETS as c_long, at(&settings), 0, 0, 0]);
    };
    "detach-a-loop-device", "control", |_| { call(libc::SYS_ioctl, [0, 0x4c01, 0, 0, 0, 0]); };

    // Other processes.
    "kill", "kill ", |on| { call(libc::SYS_kill, [on.number("process"), libc::SIGKILL.into(), 0, 0, 0, 0]); };
    "kill-group", "kill process group", |on| { call(libc::SYS_kill, [fork_group(on), libc::SIGKILL.into(), 0, 0, 0, 0]); };
    "kill-all", "kill all", |_| { call(libc::SYS_kill, [-1, libc::SIGURG.into(), 0, 0, 0, 0]); };
    "tkill", "kill ", |on| { call(libc::SYS_tkill, [on.number("process"), libc::SIGKILL.into(), 0, 0, 0, 0]); };
    "tgkill", "kill ", |on| { call(libc::SYS_tgkill, [on.number("process"), on.number("process"), libc::SIGKILL.into(), 0, 0, 0]); };
    "rt_sigqueueinfo", "kill ", |on| {
        let mut info = [0_i32; 32];
        info[0] = libc::SIGKILL;
        info[2] = -1;
        call(libc::SYS_rt_sigqueueinfo, [on.number("process"), libc::SIGKILL.into(), at(&info), 0, 0, 0]);
    };
    "rt_tgsigqueueinfo", "kill ", |on| {
        let mut info = [0_i32; 32];
        info[0] = libc::SIGKILL;
        info[2] = -1;
        call(libc::SYS_rt_tgsigqueueinfo, [on.number("process"), on.number("process"), libc::SIGKILL.into(), at(&info), 0, 0]);
    };
    "pidfd_send_signal", "kill ", |on| {
        let process = call(libc::SYS_pidfd_open, [on.number("process"), 0, 0, 0, 0, 0]);
        call(libc::SYS_pidfd_send_signal, [process, libc::SIGKILL.into(), 0, 0, 0, 0]);
    };
    "pidfd_getfd", "pidfd_getfd", |on| {
        let process = call(libc::SYS_pidfd_open, [on.number("process"), 0, 0, 0, 0, 0]);
        call(libc::SYS_pidfd_getfd, [process, 0, 0, 0, 0, 0]);
    };
    "ptrace", "ptrace", |on| { call(libc::SYS_ptrace, [libc::PTRACE_SEIZE.into(), on.number("process"), 0, 0, 0, 0]); };
    "process_vm_readv", "process_vm_readv", |on| { call(libc::SYS_process_vm_readv, [on.number("process"), 0, 0, 0, 0, 0]); };
    "process_vm_writev", "process_vm_writev", |on| { call(libc::SYS_process_vm_writev, [on.number("process"), 0, 0, 0, 0, 0]); };
    "process-memory", "read /proc", |on| {
        let memory = CString::new(format!("/proc/{}/mem", on.number("process"))).expect("no NUL");
        open(&memory, libc::O_RDONLY);
    };
    "process-memory-write", "for writing", |on| {
        let memory = CString::new(format!("/proc/{}/mem", on.number("process"))).expect("no NUL");
        open(&memory, libc::O_RDWR);
    };
    "prlimit", "limits of process", |on| {
        let limit = [77_u64, 77];
        call(libc::SYS_prlimit64, [on.number("process"), 7, at(&limit), 0, 0, 0]);
    };
    "raise-a-limit", "limits for writing", |_| {
        // What root may outside, and an ordinary user nowhere: there it is tried in another way.
        let limit = [u64::MAX, u64::MAX];
        call(libc::SYS_prlimit64, [0, 7, at(&limit), 0, 0, 0]);
        open(&c"/proc/self/limits".to_owned(), libc::O_WRONLY);
    };
    "real-time", "sched_setscheduler", |_| {
        let priority = 1_i32;
        call(libc::SYS_sched_setscheduler, [0, 1, at(&priority), 0, 0, 0]);
    };
    "setpriority", "priority", |on| { call(libc::SYS_setpriority, [0, on.number("process"), 5, 0, 0, 0]); };
    "sched_setaffinity", "sched_setaffinity", |on| {
        let mask = 1_u64;
        call(libc::SYS_sched_setaffinity, [on.number("process"), 8, at(&mask), 0, 0, 0]);
    };
    "sched_setscheduler", "sched_setscheduler", |on| {
        let priority = 0_i32;
        call(libc::SYS_sched_setscheduler, [on.number("process"), 5, at(&priority), 0, 0, 0]);
    };
    "sched_setparam", "sched_setparam", |on| {
        let priority = 0_i32;
        call(libc::SYS_sched_setparam, [on.number("process"), at(&priority), 0, 0, 0, 0]);
    };
    "sched_setattr", "sched_setattr", |on| { call(libc::SYS_sched_setattr, [on.number("process"), 0, 0, 0, 0, 0]); };
    "ioprio_set", "ioprio_set", |on| { call(libc::SYS_ioprio_set, [1, on.number("process"), 0x6000, 0, 0, 0]); };
    "process_madvise", "process_madvise", |_| { call(libc::SYS_process_madvise, [0, 0, 0, 0, 0, 0]); };
    "process_mrelease", "process_mrelease", |_| { call(libc::SYS_process_mrelease, [0, 0, 0, 0, 0, 0]); };
    "kcmp", "kcmp", |on| { call(libc::SYS_kcmp, [on.number("process"), on.number("process"), 0, 0, 0, 0]); };
    "migrate_pages", "migrate_pages", |on| { call(libc::SYS_migrate_pages, [on.number("process"), 0, 0, 0, 0, 0]); };
    "move_pages", "move_pages", |on| { call(libc::SYS_move_pages, [on.number("process"), 0, 0, 0, 0, 0]); };
    "get_robust_list", "get_robust_list", |on| { call(libc::SYS_get_robust_list, [on.number("process"), 0, 0, 0, 0, 0]); };

    // The network, and sockets.
    "connect", "connect to 127.0.0.1:", |on| {
        let to = inet(on.number("port"));
        call(libc::SYS_connect, [socket(libc::AF_INET, libc::SOCK_STREAM), at(&to), 16, 0, 0, 0]);
    };
    "connect-6", "connect to [::1]:", |on| {
        let to = inet6(on.number("port"));
        call(libc::SYS_connect, [socket(libc::AF_INET6, libc::SOCK_STREAM), at(&to), 28, 0, 0, 0]);
    };
    "connect-datagram", "connect to 127.0.0.1:", |on| {
        let to = inet(on.number("udp"));
        call(libc::SYS_connect, [socket(libc::AF_INET, libc::SOCK_DGRAM), at(&to), 16, 0, 0, 0]);
    };
    "sendto", "send to 127.0.0.1:", |on| {
        let to = inet(on.number("udp"));
        call(libc::SYS_sendto, [socket(libc::AF_INET, libc::SOCK_DGRAM), at(&to), 1, 0, at(&to), 16]);
    };
    "sendmsg", "send to 127.0.0.1:", |on| {
        let to = inet(on.number("udp"));
        let message = message(at(&to), 16);
        call(libc::SYS_sendmsg, [socket(libc::AF_INET, libc::SOCK_DGRAM), at(&message), 0, 0, 0, 0]);
    };
    "sendmmsg", "send to 127.0.0.1:", |on| {
        let to = inet(on.number("udp"));
        let message = message(at(&to), 16);
        call(libc::SYS_sendmmsg, [socket(libc::AF_INET, libc::SOCK_DGRAM), at(&message), 1, 0, 0, 0]);
    };
    "fast-open", "send to 127.0.0.1:", |on| {
        let to = inet(on.number("port"));
        call(libc::SYS_sendto, [socket(libc::AF_INET, libc::SOCK_STREAM), at(&to), 1, 0x2000_0000, at(&to), 16]);
    };
    "bind", "listen at 127.0.0.1:", |_| {
        let to = inet(0);
        call(libc::SYS_bind, [socket(libc::AF_INET, libc::SOCK_STREAM), at(&to), 16, 0, 0, 0]);
    };
    "listen", "listen for connections", |_| { call(libc::SYS_listen, [socket(libc::AF_INET, libc::SOCK_STREAM), 1, 0, 0, 0, 0]); };
    "accept", "take connections", |_| { call(libc::SYS_accept4, [socket(libc::AF_INET, libc::SOCK_STREAM), 0, 0, 0, 0, 0]); };
    "connect-by-path", "connect to /", |on| {
        let (to, length) = unix(&on.text("stream"), false);
        call(libc::SYS_connect, [socket(libc::AF_UNIX, libc::SOCK_STREAM), at(&to), length, 0, 0, 0]);
    };
    "connect-abstract", "connect to @", |on| {
        let (to, length) = unix(&on.text("abstract"), true);
        call(libc::SYS_connect, [socket(libc::AF_UNIX, libc::SOCK_STREAM), at(&to), length, 0, 0, 0]);
    };
    "datagram-by-path", "send to /", |on| {
        let (to, length) = unix(&on.text("datagram"), false);
        call(libc::SYS_sendto, [socket(libc::AF_UNIX, libc::SOCK_DGRAM), at(&to), 1, 0, at(&to), length]);
    };
    "datagram-abstract", "send to @", |on| {
        let (to, length) = unix(&on.text("abstract"), true);
        call(libc::SYS_sendto, [socket(libc::AF_UNIX, libc::SOCK_DGRAM), at(&to), 1, 0, at(&to), length]);
    };
    "pair-of-datagrams", "pair of sockets", |on| {
        let mut pair = [0_i32; 2];
        call(libc::SYS_socketpair, [libc::AF_UNIX.into(), libc::SOCK_DGRAM.into(), 0, (&raw mut pair) as c_long, 0, 0]);
        let (to, length) = unix(&on.text("datagram"), false);
        call(libc::SYS_sendto, [pair[0].into(), at(&to), 1, 0, at(&to), length]);
    };
    "pair-of-packets", "pair of sockets", |_| {
        let mut pair = [0_i32; 2];
        call(libc::SYS_socketpair, [libc::AF_UNIX.into(), libc::SOCK_SEQPACKET.into(), 0, (&raw mut pair) as c_long, 0, 0]);
    };
    "stream-pair-to-a-path", "send to /", |on| {
        let mut pair = [0_i32; 2];
        call(libc::SYS_socketpair, [libc::AF_UNIX.into(), libc::SOCK_STREAM.into(), 0, (&raw mut pair) as c_long, 0, 0]);
        let (to, length) = unix(&on.text("datagram"), false);
        call(libc::SYS_sendto, [pair[0].into(), at(&to), 1, 0, at(&to), length]);
    };
    "bind-by-path", "listen at /", |on| {
        let (to, length) = unix(on.within("new").to_str().expect("text"), false);
        call(libc::SYS_bind, [socket(libc::AF_UNIX, libc::SOCK_STREAM), at(&to), length, 0, 0, 0]);
    };
    "bind-abstract", "listen at @", |_| {
        let mut pair = [0_i32; 2];
        call(libc::SYS_socketpair, [libc::AF_UNIX.into(), libc::SOCK_STREAM.into(), 0, (&raw mut pair) as c_long, 0, 0]);
        let (to, length) = unix("runbook-try", true);
        call(libc::SYS_bind, [pair[0].into(), at(&to), length, 0, 0, 0]);
    };
    "packets", "family 17", |_| { socket(libc::AF_PACKET, libc::SOCK_RAW); };
    "vsock", "family 40", |_| { socket(libc::AF_VSOCK, libc::SOCK_STREAM); };
    "crypto", "family 38", |_| { socket(libc::AF_ALG, libc::SOCK_SEQPACKET); };
    "netlink-firewall", "netlink 12", |_| { call(libc::SYS_socket, [libc::AF_NETLINK.into(), libc::SOCK_RAW.into(), 12, 0, 0, 0]); };
    "netlink-generic", "netlink 16", |_| { call(libc::SYS_socket, [libc::AF_NETLINK.into(), libc::SOCK_RAW.into(), 16, 0, 0, 0]); };
    "netlink-order", "change something of the network", |_| {
        // RTM_DELLINK of an interface that there is not.
        let socket = call(libc::SYS_socket, [libc::AF_NETLINK.into(), libc::SOCK_RAW.into(), 0, 0, 0, 0]);
        let order = [32_u32, 17 | 5 << 16, 1, 0, 0, 0x7fff_fff0, 0, 0];
        call(libc::SYS_sendto, [socket, at(&order), 32, 0, 0, 0]);
    };
    "netlink-listen", "listen to the kernel", |_| {
        let socket = call(libc::SYS_socket, [libc::AF_NETLINK.into(), libc::SOCK_RAW.into(), 0, 0, 0, 0]);
        let address = [libc::AF_NETLINK as u32, 0, 1];
        call(libc::SYS_bind, [socket, at(&address), 12, 0, 0, 0]);
    };

    // Memory and queues that others share.
    "shmget", "shmget", |_| { call(libc::SYS_shmget, [0, 4096, 0o1600, 0, 0, 0]); };
    "shmat", "shmat", |_| { call(libc::SYS_shmat, [0, 0, 0, 0, 0, 0]); };
    "shmctl", "shmctl", |_| { call(libc::SYS_shmctl, [0, libc::IPC_RMID.into(), 0, 0, 0, 0]); };
    "semget", "semget", |_| { call(libc::SYS_semget, [0, 1, 0o1600, 0, 0, 0]); };
    "semop", "semop", |_| { call(libc::SYS_semop, [0, 0, 0, 0, 0, 0]); };
    "semtimedop", "semtimedop", |_| { call(libc::SYS_semtimedop, [0, 0, 0, 0, 0, 0]); };
    "semctl", "semctl", |_| { call(libc::SYS_semctl, [0, 0, libc::IPC_RMID.into(), 0, 0, 0]); };
    "msgget", "msgget", |_| { call(libc::SYS_msgget, [0, 0o1600, 0, 0, 0, 0]); };
    "msgsnd", "msgsnd", |_| { call(libc::SYS_msgsnd, [0, 0, 0, 0, 0, 0]); };
    "msgrcv", "msgrcv", |_| { call(libc::SYS_msgrcv, [0, 0, 0, 0, 0, 0]); };
    "msgctl", "msgctl", |_| { call(libc::SYS_msgctl, [0, libc::IPC_RMID.into(), 0, 0, 0, 0]); };
    "mq_open", "mq_open", |_| { call(libc::SYS_mq_open, [path(&c"runbook-try".to_owned()), (libc::O_CREAT | libc::O_RDWR).into(), 0o600, 0, 0, 0]); };
    "mq_unlink", "mq_unlink", |_| { call(libc::SYS_mq_unlink, [path(&c"runbook-try".to_owned()), 0, 0, 0, 0, 0]); };
    "add_key", "add_key", |_| { call(libc::SYS_add_key, [0, 0, 0, 0, 0, 0]); };
    "request_key", "request_key", |_| { call(libc::SYS_request_key, [0, 0, 0, 0, 0, 0]); };
    "keyctl", "keyctl", |_| { call(libc::SYS_keyctl, [1, 0, 0, 0, 0, 0]); };

    // Mounts and namespaces.
    "mount", "mount", |on| { call(libc::SYS_mount, [0, path(&on.path("folder")), 0, 0, 0, 0]); };
    "umount2", "umount2", |on| { call(libc::SYS_umount2, [path(&on.path("folder")), 0, 0, 0, 0, 0]); };
    "pivot_root", "pivot_root", |on| { call(libc::SYS_pivot_root, [path(&on.path("folder")), path(&on.path("folder")), 0, 0, 0, 0]); };
    "chroot", "chroot", |on| { call(libc::SYS_chroot, [path(&on.path("folder")), 0, 0, 0, 0, 0]); };
    "open_tree", "open_tree", |_| { call(libc::SYS_open_tree, [FDCWD, path(&c"/".to_owned()), 1, 0, 0, 0]); };
    "open_tree_attr", "open_tree_attr", |_| { call(467, [FDCWD, path(&c"/".to_owned()), 0, 0, 0, 0]); };
    "move_mount", "move_mount", |_| { call(libc::SYS_move_mount, [0, 0, 0, 0, 0, 0]); };
    "fsopen", "fsopen", |_| { call(libc::SYS_fsopen, [path(&c"tmpfs".to_owned()), 0, 0, 0, 0, 0]); };
    "fsconfig", "fsconfig", |_| { call(libc::SYS_fsconfig, [0, 0, 0, 0, 0, 0]); };
    "fsmount", "fsmount", |_| { call(libc::SYS_fsmount, [0, 0, 0, 0, 0, 0]); };
    "fspick", "fspick", |_| { call(libc::SYS_fspick, [FDCWD, path(&c"/".to_owned()), 0, 0, 0, 0]); };
    "mount_setattr", "mount_setattr", |_| { call(442, [FDCWD, path(&c"/".to_owned()), 0, 0, 0, 0]); };
    "unshare", "unshare", |_| { call(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0, 0, 0, 0]); };
    "setns", "setns", |_| { call(libc::SYS_setns, [0, 0, 0, 0, 0, 0]); };
    "clone-namespaces", "clone", |_| {
        if call(libc::SYS_clone, [(libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::SIGCHLD).into(), 0, 0, 0, 0, 0]) == 0 {
            std::process::exit(0);
        }
    };
    "clone-sibling", "clone", |_| {
        if call(libc::SYS_clone, [(libc::CLONE_PARENT | libc::SIGCHLD).into(), 0, 0, 0, 0, 0]) == 0 {
            std::process::exit(0);
        }
    };

    // The kernel itself.
    "bpf", "bpf", |_| { call(libc::SYS_bpf, [0, 0, 0, 0, 0, 0]); };
    "perf_event_open", "perf_event_open", |_| { call(libc::SYS_perf_event_open, [0, 0, 0, 0, 0, 0]); };
    "userfaultfd", "userfaultfd", |_| { call(libc::SYS_userfaultfd, [0, 0, 0, 0, 0, 0]); };
    "memfd_secret", "memfd_secret", |_| { call(libc::SYS_memfd_secret, [0, 0, 0, 0, 0, 0]); };
    "fanotify_init", "fanotify_init", |_| { call(libc::SYS_fanotify_init, [4, 0, 0, 0, 0, 0]); };
    "init_module", "init_module", |_| { call(libc::SYS_init_module, [0, 0, 0, 0, 0, 0]); };
    "finit_module", "finit_module", |_| { call(libc::SYS_finit_module, [-1, 0, 0, 0, 0, 0]); };
    "delete_module", "delete_module", |_| { call(libc::SYS_delete_module, [0, 0, 0, 0, 0, 0]); };
    "kexec_load", "kexec_load", |_| { call(libc::SYS_kexec_load, [0, 99, 0, 0, 0, 0]); };
    "kexec_file_load", "kexec_file_load", |_| { call(libc::SYS_kexec_file_load, [-1, -1, 0, 0, 0, 0]); };
    // With a wrong magic number, should it be let through.
    "reboot", "reboot", |_| { call(libc::SYS_reboot, [0, 0, 0, 0, 0, 0]); };
    "swapon", "swapon", |_| { call(libc::SYS_swapon, [0, 0, 0, 0, 0, 0]); };
    "swapoff", "swapoff", |_| { call(libc::SYS_swapoff, [0, 0, 0, 0, 0, 0]); };
    "sethostname", "sethostname", |_| { call(libc::SYS_sethostname, [0, 65, 0, 0, 0, 0]); };
    "setdomainname", "setdomainname", |_| { call(libc::SYS_setdomainname, [0, 65, 0, 0, 0, 0]); };
    "settimeofday", "settimeofday", |_| { call(libc::SYS_settimeofday, [0, 0, 0, 0, 0, 0]); };
    "clock_settime", "clock_settime", |_| { call(libc::SYS_clock_settime, [0, 0, 0, 0, 0, 0]); };
    "clock_adjtime", "clock_adjtime", |_| { call(libc::SYS_clock_adjtime, [0, 0, 0, 0, 0, 0]); };
    "adjtimex", "adjtimex", |_| { call(libc::SYS_adjtimex, [0, 0, 0, 0, 0, 0]); };
    "acct", "acct", |on| { call(libc::SYS_acct, [path(&on.path("folder")), 0, 0, 0, 0, 0]); };
    "quotactl", "quotactl", |_| { call(libc::SYS_quotactl, [0, 0, 0, 0, 0, 0]); };
    "quotactl_fd", "quotactl_fd", |_| { call(443, [0, 0, 0, 0, 0, 0]); };
    "syslog", "syslog", |_| { call(libc::SYS_syslog, [99, 0, 0, 0, 0, 0]); };
    "vhangup", "vhangup", |_| { call(libc::SYS_vhangup, [0; 6]); };
    "sync", "sync", |_| { call(libc::SYS_sync, [0; 6]); };
    "io_setup", "io_setup", |_| { call(libc::SYS_io_setup, [0; 6]); };
    "seccomp-listener", "seccomp", |_| { call(libc::SYS_seccomp, [1, 8, 0, 0, 0, 0]); };
    "prctl-memory-map", "prctl", |_| { call(libc::SYS_prctl, [libc::PR_SET_MM.into(), 0, 0, 0, 0, 0]); };
    "prctl-unknown", "prctl", |_| { call(libc::SYS_prctl, [0x7777, 0, 0, 0, 0, 0]); };
    "unknown-call", "system call 9999", |_| { call(9999, [0; 6]); };

    // Another user.
    "setuid", "become", |_| { call(libc::SYS_setuid, [4242, 0, 0, 0, 0, 0]); };
    "setgid", "become", |_| { call(libc::SYS_setgid, [4242, 0, 0, 0, 0, 0]); };
    "setresuid", "become", |_| { call(libc::SYS_setresuid, [4242, 4242, 4242, 0, 0, 0]); };
    "setgroups", "setgroups", |_| { call(libc::SYS_setgroups, [0; 6]); };
}

/// The calls of x86-64 that later architectures no longer have, and its other tables of calls.
#[cfg(target_arch = "x86_64")]
mod old {
    use super::*;

    pub const TRIES: &[(&str, &str, Try)] = &[
        ("open-old", "for writing", |on| {
            call(libc::SYS_open, [path(&on.path("victim")), libc::O_WRONLY.into(), 0, 0, 0, 0]);
        }),
        ("creat", "for writing", |on| {
            call(libc::SYS_creat, [path(&on.within("new")), 0o600, 0, 0, 0, 0]);
        }),
        ("mkdir", "make the directory", |on| {
            call(libc::SYS_mkdir, [path(&on.within("new")), 0o755, 0, 0, 0, 0]);
        }),
        ("mknod", "make a device", |on| {
            call(libc::SYS_mknod, [path(&on.within("new")), (libc::S_IFBLK | 0o600).into(), 0x700, 0, 0, 0]);
        }),
        ("symlink", "make the link", |on| {
            call(libc::SYS_symlink, [path(&on.path("victim")), path(&on.within("new")), 0, 0, 0, 0]);
        }),
        ("link", "link /", |on| {
            call(libc::SYS_link, [path(&on.path("victim")), path(&on.within("new")), 0, 0, 0, 0]);
        }),
        ("unlink", "remove", |on| {
            call(libc::SYS_unlink, [path(&on.path("victim")), 0, 0, 0, 0, 0]);
        }),
        ("rename", "rename", |on| {
            call(libc::SYS_rename, [path(&on.path("victim")), path(&on.within("new")), 0, 0, 0, 0]);
        }),
        ("chmod", "change the mode", |on| {
            call(libc::SYS_chmod, [path(&on.path("victim")), 0o777, 0, 0, 0, 0]);
        }),
        ("chown", "change the owner", |on| {
            call(libc::SYS_chown, [path(&on.path("victim")), 1, 1, 0, 0, 0]);
        }),
        ("lchown", "change the owner", |on| {
            call(libc::SYS_lchown, [path(&on.path("victim")), 1, 1, 0, 0, 0]);
        }),
        ("utime", "utime", |on| {
            call(libc::SYS_utime, [path(&on.path("victim")), 0, 0, 0, 0, 0]);
        }),
        ("utimes", "utimes", |on| {
            call(libc::SYS_utimes, [path(&on.path("victim")), 0, 0, 0, 0, 0]);
        }),
        ("futimesat", "futimesat", |on| {
            call(libc::SYS_futimesat, [FDCWD, path(&on.path("victim")), 0, 0, 0, 0]);
        }),
        ("iopl", "iopl", |_| {
            call(libc::SYS_iopl, [3, 0, 0, 0, 0, 0]);
        }),
        ("ioperm", "ioperm", |_| {
            call(libc::SYS_ioperm, [0, 1, 1, 0, 0, 0]);
        }),
        ("modify_ldt", "modify_ldt", |_| {
            call(libc::SYS_modify_ldt, [1, 0, 0, 0, 0, 0]);
        }),
        // x32: kill(2) by the number that it has there.
        ("x32-kill", "system call", |on| {
            call(0x4000_0000 + libc::SYS_kill, [on.number("process"), libc::SIGKILL.into(), 0, 0, 0, 0]);
        }),
        // i386: kill(2) is 37 there.
        // SAFETY: the registers that the call takes; rbx is put back.
        ("i386-kill", "another architecture", |on| unsafe {
            std::arch::asm!(
                "push rbx", "mov ebx, {target:e}", "int 0x80", "pop rbx",
                target = in(reg) on.number("process"), inout("eax") 37 => _, in("ecx") libc::SIGKILL,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            );
        }),
    ];
}
#[cfg(not(target_arch = "x86_64"))]
mod old {
    pub const TRIES: &[(&str, &str, super::Try)] = &[];
}

fn main() {
    let mut args = std::env::args().skip(1);
    let name = args.next().expect("the name of a try, or `list`");
    let all = || TRIES.iter().chain(old::TRIES);
    if name == "list" {
        all().for_each(|(name, words, _)| println!("{name}\t{words}"));
        return;
    }
    let on = On(args
        .filter_map(|arg| arg.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect());
    let (_, _, attempt) = all().find(|(known, _, _)| *known == name).expect("a known try");
    attempt(&on);
}
