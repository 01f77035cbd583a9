//! What the kernel tells of routes and links, over netlink (`rtnetlink(7)`).

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

// linux/rtnetlink.h, linux/netlink.h, linux/if.h
const GROUPS: u32 = GROUP_LINK | GROUP_IPV4_ROUTE | GROUP_IPV6_ROUTE;
const GROUP_LINK: u32 = 0x1;
const GROUP_IPV4_ROUTE: u32 = 0x40;
const GROUP_IPV6_ROUTE: u32 = 0x400;
const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ROUTE: u16 = 24;
const REQUEST_DUMP: u16 = 0x301;
const LINK_RUNNING: u32 = 0x40;
const TABLE_LOCAL: u8 = 255;
const TYPE_UNICAST: u8 = 1;
/// A copy for one address, a next hop that is dead, a cable that is unplugged.
const ROUTE_UNUSABLE: u32 = 0x200 | 0x1 | 0x10;
const ATTRIBUTE_DESTINATION: u16 = 1;
const FAMILY_IPV6: u8 = 10;

/// The header of a message: length with it, type, flags, sequence number, port.
const HEADER: usize = 16;
/// Messages are longer than half of this only where a network card is many.
const BUFFER: usize = 16 * 1024;

/// Hears of every change.
#[derive(Debug)]
pub(super) struct RouteChanges {
    socket: AsyncFd<File>,
    /// Every route counts, and not only those that lead everywhere.
    any_route: bool,
    /// Links that were seen without a carrier.
    unplugged: Vec<u32>,
}

impl RouteChanges {
    /// `None` where a sandbox forbids it. To be called within the runtime.
    pub(super) fn listen(any_route: bool) -> Option<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        // Of the families of netlink, routing is the one that goes without a number.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None).ok()?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS)).ok()?;
        let socket = File::from(socket);
        // How each link is now: told like a change. Without it, the first plugging in may be missed, and no more.
        let _ = (&socket).write(&dump_links());
        Some(Self { socket: woken_by(socket).ok()?, any_route, unplugged: Vec::new() })
    }

    /// Waits until a way appears.
    pub(super) async fn appears(&mut self) -> io::Result<()> {
        loop {
            self.socket.readable().await?.clear_ready();
            if self.take()? {
                return Ok(());
            }
        }
    }

    /// Takes in what was told up to now: whether a way has appeared.
    pub(super) fn take(&mut self) -> io::Result<bool> {
        let mut appeared = false;
        let mut buffer = [0; BUFFER];
        loop {
            match self.socket.get_ref().read(&mut buffer) {
                Ok(length) => {
                    appeared |= tells_of_way(&buffer[..length], self.any_route, &mut self.unplugged);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(appeared),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // More was told than there is room for: anything may have happened.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => appeared = true,
                Err(error) => return Err(error),
            }
        }
    }
}

#[expect(unsafe_code, reason = "the other ways to have a descriptor wake a task are unsound")]
fn woken_by(socket: File) -> io::Result<AsyncFd<File>> {
    // SAFETY: a `File` has the same descriptor from its opening to its end, and gives it to nobody else. The `AsyncFd`
    // owns it and lends it out unchangeable.
    Ok(unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?)
}

fn tells_of_way(mut messages: &[u8], any_route: bool, unplugged: &mut Vec<u32>) -> bool {
    let mut appeared = false;
    while let Some((kind, body, rest)) = next_message(messages) {
        appeared |= match kind {
            NEW_ROUTE => leads_out(body, any_route).unwrap_or(false),
            NEW_LINK => was_plugged_in(body, unplugged).unwrap_or(false),
            _ => false,
        };
        messages = rest;
    }
    appeared
}

/// The first message's type and body, and the messages after it.
fn next_message(messages: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32_at(messages, 0)? as usize;
    let body = messages.get(HEADER..length)?;
    let rest = messages.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((u16_at(messages, 4)?, body, rest))
}

/// Whether a new route is one by which something far away can be reached, or anything else than this link, if
/// `any_route`.
fn leads_out(route: &[u8], any_route: bool) -> Option<bool> {
    let &[family, prefix, _, _, table, _, _, kind] = route.first_chunk()?;
    let unusable = u32_at(route, 8)? & ROUTE_UNUSABLE != 0;
    if kind != TYPE_UNICAST || table == TABLE_LOCAL || unusable {
        return Some(false);
    }
    // Everywhere, its halves as tunnels have them, and all that is assigned of IPv6.
    let is_wide = prefix <= if family == FAMILY_IPV6 { 3 } else { 1 };
    Some(is_wide || any_route && !is_on_link(route, family))
}

/// Whether it is one of those that every link of IPv6 has.
fn is_on_link(route: &[u8], family: u8) -> bool {
    let mut attributes = route.get(12..).unwrap_or_default();
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        if kind == ATTRIBUTE_DESTINATION {
            return family == FAMILY_IPV6 && matches!(attributes.get(4), Some(0xfe | 0xff | 0));
        }
        attributes = attributes.get(usize::from(length).max(4).next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

/// Whether a link that had no carrier has one now.
fn was_plugged_in(link: &[u8], unplugged: &mut Vec<u32>) -> Option<bool> {
    let (index, flags) = (u32_at(link, 4)?, u32_at(link, 8)?);
    let before = unplugged.iter().position(|known| *known == index);
    match (flags & LINK_RUNNING != 0, before) {
        (true, Some(place)) => {
            unplugged.swap_remove(place);
            Some(true)
        }
        (false, None) => {
            unplugged.push(index);
            Some(false)
        }
        _ => Some(false),
    }
}

/// Asks for all links.
fn dump_links() -> [u8; HEADER + 4] {
    let mut message = [0; HEADER + 4];
    message[..4].copy_from_slice(&(HEADER as u32 + 4).to_ne_bytes());
    message[4..6].copy_from_slice(&GET_LINK.to_ne_bytes());
    message[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    message
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_ne_bytes(*four))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|two| u16::from_ne_bytes(*two))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IPV4: u8 = 2;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = ((HEADER + body.len()) as u32).to_ne_bytes();
        let mut message = [&length[..], &kind.to_ne_bytes(), &[0; 10], body].concat();
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    fn route(family: u8, prefix: u8, table: u8, kind: u8, flags: u32, destination: &[u8]) -> Vec<u8> {
        let mut body = vec![family, prefix, 0, 0, table, 3, 0, kind];
        body.extend(flags.to_ne_bytes());
        // The table again, as the kernel tells it, then where to.
        body.extend([&8_u16.to_ne_bytes()[..], &15_u16.to_ne_bytes(), &[table, 0, 0, 0]].concat());
        if !destination.is_empty() {
            body.extend(((4 + destination.len()) as u16).to_ne_bytes());
            body.extend([&ATTRIBUTE_DESTINATION.to_ne_bytes()[..], destination].concat());
        }
        message(NEW_ROUTE, &body)
    }

    fn link(index: u32, flags: u32) -> Vec<u8> {
        let words = [index, flags, 0].map(u32::to_ne_bytes).concat();
        message(NEW_LINK, &[&[0, 0, 1, 0][..], &words].concat())
    }

    fn is_way(messages: &[u8]) -> bool {
        tells_of_way(messages, false, &mut Vec::new())
    }

    #[test]
    fn a_new_way_everywhere_is_told_from_routes_that_lead_nowhere() {
        const UNREACHABLE: u8 = 7;
        assert!(is_way(&route(IPV4, 0, 254, TYPE_UNICAST, 0, &[])));
        assert!(is_way(&route(FAMILY_IPV6, 0, 254, TYPE_UNICAST, 0, &[])));
        assert!(is_way(&route(IPV4, 0, 52, TYPE_UNICAST, 0, &[])), "any table");
        assert!(is_way(&route(IPV4, 1, 254, TYPE_UNICAST, 0, &[128, 0, 0, 0])), "half of everywhere");
        assert!(!is_way(&route(IPV4, 0, 254, UNREACHABLE, 0, &[])));
        assert!(!is_way(&route(IPV4, 0, 254, TYPE_UNICAST, 0x10, &[])), "no cable");
        assert!(!is_way(&route(FAMILY_IPV6, 0, 254, TYPE_UNICAST, 0x200, &[])), "a copy");
        assert!(
            !is_way(&message(25, &route(IPV4, 0, 254, TYPE_UNICAST, 0, &[])[HEADER..])),
            "a route that goes"
        );
        // In a row, with others before it.
        let several = [link(1, 0), route(IPV4, 24, 254, TYPE_UNICAST, 0, &[10, 0, 2, 0])].concat();
        assert!(!is_way(&several));
        assert!(is_way(&[several, route(IPV4, 0, 254, TYPE_UNICAST, 0, &[])].concat()));
    }

    #[test]
    fn to_a_gateway_any_route_may_lead() {
        let is_way = |message: &[u8]| tells_of_way(message, true, &mut Vec::new());
        assert!(is_way(&route(IPV4, 24, 254, TYPE_UNICAST, 0, &[10, 0, 2, 0])));
        assert!(!is_way(&route(IPV4, 32, TABLE_LOCAL, 2, 0, &[10, 0, 2, 15])), "this machine itself");
        let v6 = |first: u8| {
            let mut destination = [0; 16];
            destination[0] = first;
            route(FAMILY_IPV6, 64, 254, TYPE_UNICAST, 0, &destination)
        };
        assert!(is_way(&v6(0xfd)) && is_way(&v6(0x20)));
        assert!(!is_way(&v6(0xfe)) && !is_way(&v6(0xff)), "every link has these");
    }

    #[test]
    fn a_cable_that_is_plugged_in_again_is_a_way() {
        let mut unplugged = Vec::new();
        let mut told = |index, flags| tells_of_way(&link(index, flags), false, &mut unplugged);
        assert!(!told(2, LINK_RUNNING), "it always was");
        assert!(!told(2, 0) && !told(2, 0));
        assert!(!told(3, LINK_RUNNING), "another one");
        assert!(told(2, LINK_RUNNING));
        assert!(!told(2, LINK_RUNNING));
    }

    proptest::proptest! {
        #[test]
        fn no_message_is_too_odd_to_be_read(
            bytes in proptest::collection::vec(0..=255_u8, 0..120),
            kind in 15..26_u16,
            cut in 0..140_usize,
        ) {
            let mut messages = [message(kind, &bytes), bytes].concat();
            messages.truncate(cut);
            let _ = tells_of_way(&messages, true, &mut Vec::new());
        }
    }
}
