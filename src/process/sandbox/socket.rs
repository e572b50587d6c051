//! Calls of sockets that are put to the supervisor, where the probe may open no connection.
//!
//! Nothing is lost by giving a program a socket that leads nowhere: it gets a dummy, and is refused when it says where it
//! wants to go. So the refusal can be told with its address, and a program that only asks for a socket is not refused.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};

use libc::c_int;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::process::Place;
use super::refusals::Refusal;
use super::ruling::{Call, Ruling, path_of};

/// Netlink protocols that only tell, to who has no CAP_NET_ADMIN: addresses and routes, and the sockets of this host.
const TELLING: [c_int; 2] = [libc::NETLINK_ROUTE, libc::NETLINK_SOCK_DIAG];

/// Of a daemon that only remembers what other name services say: who is refused asks these (nscd(8)).
const NAME_CACHE: [&str; 2] = ["/run/nscd/socket", "/var/run/nscd/socket"];

/// Where a call wants to go.
enum Address {
    None,
    /// The kernel itself.
    Netlink,
    Path(std::path::PathBuf),
    /// As people write it.
    Other(String),
}

fn refuse(what: String) -> Ruling {
    Ruling::Refuse(libc::EPERM, Refusal { what, connection: true })
}

pub(super) fn rule(call: &Call) -> Option<Ruling> {
    let [a, b, c, _, e, f] = call.args;
    Some(match call.number {
        libc::SYS_socket => socket(a as c_int, b as c_int, c as c_int),
        libc::SYS_socketpair => refuse("make a pair of sockets that others can be reached from".to_owned()),
        libc::SYS_connect => go(call, "connect to", address(call, b, c)),
        libc::SYS_bind => bind(call, a as RawFd, b, c),
        libc::SYS_sendto => send(call, a as RawFd, address(call, e, f), b),
        libc::SYS_sendmsg => message(call, a as RawFd, b),
        libc::SYS_sendmmsg => {
            // `struct mmsghdr` is a message and a length: 64 bytes.
            let rulings = (0..c.min(1024)).map(|at| message(call, a as RawFd, b.wrapping_add(64 * at)));
            rulings.into_iter().find(|ruling| !matches!(ruling, Ruling::Continue)).unwrap_or(Ruling::Continue)
        }
        libc::SYS_listen => refuse("listen for connections".to_owned()),
        libc::SYS_accept | libc::SYS_accept4 => refuse("take connections".to_owned()),
        _ => return None,
    })
}

fn socket(domain: c_int, kind: c_int, protocol: c_int) -> Ruling {
    match domain {
        libc::AF_NETLINK if TELLING.contains(&protocol) => Ruling::Continue,
        libc::AF_UNIX | libc::AF_INET | libc::AF_INET6 => {
            let mut flags = SocketFlags::CLOEXEC;
            if kind & libc::SOCK_NONBLOCK != 0 {
                flags |= SocketFlags::NONBLOCK;
            }
            match rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None) {
                Ok(file) => Ruling::Give { file, close_on_exec: kind & libc::SOCK_CLOEXEC != 0 },
                Err(error) => Ruling::Fail(error.raw_os_error()),
            }
        }
        libc::AF_NETLINK => refuse(format!("open a socket to the kernel (netlink {protocol})")),
        other => refuse(format!("open a socket of family {other}")),
    }
}

fn message(call: &Call, descriptor: RawFd, header: u64) -> Ruling {
    // `struct msghdr`: the address and its length, then the parts: each where it is, and how long.
    let number = |at: u64| call.process.number(header.wrapping_add(at));
    let (Ok(name), Ok(length), Ok(parts)) = (number(0), number(8), number(16)) else {
        return refuse("send a message that can't be seen".to_owned());
    };
    let first = if parts == 0 { 0 } else { call.process.number(parts).unwrap_or(0) };
    send(call, descriptor, address(call, name, length & 0xffff_ffff), first)
}

/// A message to an address, or to where its socket is connected. `at` is where its first bytes are.
fn send(call: &Call, descriptor: RawFd, to: Address, at: u64) -> Ruling {
    match to {
        Address::None | Address::Netlink => to_kernel(call, descriptor, at),
        to => go(call, "send to", to),
    }
}

/// A question to the kernel goes there; an order does not. What is no netlink socket has nowhere to send to but its pair.
fn to_kernel(call: &Call, descriptor: RawFd, at: u64) -> Ruling {
    let Ok(copy) = call.process.descriptor(descriptor) else {
        return refuse("send to a socket that can't be seen".to_owned());
    };
    match rustix::net::sockopt::socket_domain(&copy) {
        Ok(AddressFamily::NETLINK) => {}
        _ => return Ruling::Continue,
    }
    let protocol =
        rustix::net::sockopt::socket_protocol(&copy).ok().flatten().map_or(0, |protocol| protocol.as_raw().get());
    // `struct nlmsghdr`: the length, the type.
    let kind = call
        .process
        .read(at, 6)
        .ok()
        .filter(|bytes| bytes.len() == 6)
        .map(|bytes| u16::from_ne_bytes([bytes[4], bytes[5]]));
    let asks = match (protocol as c_int, kind) {
        // In each four of types the third asks (rtnetlink(7)); below 16 nothing is ordered.
        (libc::NETLINK_ROUTE, Some(kind)) => kind < 16 || kind & 3 == 2,
        // Of sockets: TCPDIAG_GETSOCK, SOCK_DIAG_BY_FAMILY (sock_diag(7)), and not SOCK_DESTROY.
        (libc::NETLINK_SOCK_DIAG, Some(kind)) => matches!(kind, 18 | 20),
        _ => false,
    };
    if asks {
        return Ruling::Continue;
    }
    Ruling::Refuse(
        libc::EPERM,
        Refusal { what: "change something of the network (netlink)".to_owned(), connection: false },
    )
}

fn go(call: &Call, verb: &str, address: Address) -> Ruling {
    match address {
        // A message without an address goes where the socket is connected to: nowhere.
        Address::None => Ruling::Continue,
        // Only a netlink socket takes such an address, and it leads to the kernel: to no other process without CAP_NET_ADMIN.
        Address::Netlink => Ruling::Continue,
        Address::Path(path) => match call.process.find(libc::AT_FDCWD, &path, true) {
            Place::Missing { .. } | Place::Nowhere => Ruling::Fail(libc::ENOENT),
            Place::There(found) if NAME_CACHE.iter().any(|cache| found.path == std::path::Path::new(cache)) => {
                Ruling::Fail(libc::ECONNREFUSED)
            }
            _ => refuse(format!("{verb} {}", path.display())),
        },
        Address::Other(address) => refuse(format!("{verb} {address}")),
    }
}

/// A netlink socket is bound in the probe's stead, to the address that was looked at.
fn bind(call: &Call, descriptor: RawFd, at: u64, length: u64) -> Ruling {
    match address(call, at, length) {
        Address::Netlink => {
            // `struct sockaddr_nl`: the family, padding, the port, the groups.
            let groups = call.process.read(at, 12).ok().filter(|bytes| bytes.len() == 12 && bytes[8..] == [0; 4]);
            if groups.is_none() {
                return refuse("listen to the kernel".to_owned());
            }
            let Ok(copy) = call.process.descriptor(descriptor) else { return refuse("bind a socket".to_owned()) };
            // SAFETY: an address of the right size, on a descriptor that `copy` holds; port 0 has the kernel choose.
            let bound = unsafe {
                let mut own: libc::sockaddr_nl = std::mem::zeroed();
                own.nl_family = libc::AF_NETLINK as u16;
                libc::bind(copy.as_raw_fd(), (&raw const own).cast(), size_of_val(&own) as u32)
            };
            if bound == 0 {
                Ruling::Done(0)
            } else {
                Ruling::Fail(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL))
            }
        }
        Address::None => Ruling::Fail(libc::EINVAL),
        Address::Path(path) => refuse(format!("listen at {}", path.display())),
        Address::Other(address) => refuse(format!("listen at {address}")),
    }
}

fn address(call: &Call, at: u64, length: u64) -> Address {
    if at == 0 || length == 0 {
        return Address::None;
    }
    let Ok(bytes) = call.process.read(at, length.min(128) as usize) else {
        return Address::Other("an address that can't be seen".to_owned());
    };
    let family =
        bytes.get(..2).map_or(libc::AF_UNSPEC, |family| c_int::from(u16::from_ne_bytes([family[0], family[1]])));
    let port = || bytes.get(2..4).map_or(0, |port| u16::from_be_bytes([port[0], port[1]]));
    match family {
        libc::AF_UNSPEC => Address::None,
        libc::AF_NETLINK => Address::Netlink,
        libc::AF_UNIX => match bytes.get(2..) {
            Some([0, rest @ ..]) => Address::Other(format!("@{}", String::from_utf8_lossy(rest))),
            Some(rest) => Address::Path(path_of(rest)),
            None => Address::None,
        },
        libc::AF_INET if bytes.len() >= 8 => {
            let ip = Ipv4Addr::new(bytes[4], bytes[5], bytes[6], bytes[7]);
            Address::Other(SocketAddr::from((ip, port())).to_string())
        }
        libc::AF_INET6 if bytes.len() >= 24 => {
            let mut ip = [0; 16];
            ip.copy_from_slice(&bytes[8..24]);
            Address::Other(SocketAddr::from((Ipv6Addr::from(ip), port())).to_string())
        }
        other => Address::Other(format!("an address of family {other}")),
    }
}
