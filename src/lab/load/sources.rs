//! Addresses that connections come from: one address and one server share some 28,000 ports.

use std::net::{IpAddr, Ipv4Addr};

/// More are never needed: each brings ten thousands of ports.
const MOST: u32 = 4096;

/// Source addresses that take turns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(Vec<IpAddr>);

impl Sources {
    /// Reads addresses, and networks such as 127.0.0.0/24, with commas between them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut all = Vec::new();
        for part in text.split(',').map(str::trim) {
            match part.split_once('/') {
                None => all.push(part.parse().map_err(|_| format!("{part:?} is no address"))?),
                Some((network, bits)) => all.extend(hosts(part, network, bits)?),
            }
            if all.len() > MOST as usize {
                return Err(format!("{text:?} has more than {MOST} addresses"));
            }
        }
        Ok(Self(all))
    }

    /// The one of a device; `None` leaves it to the system.
    pub(super) fn of(&self, number: u32) -> Option<IpAddr> {
        let turn = number as usize;
        self.0.get(turn.checked_rem(self.0.len())?).copied()
    }

    /// How many there are: one at least.
    pub fn count(&self) -> usize {
        self.0.len().max(1)
    }
}

/// The addresses of hosts in a network, without its own and the broadcast.
fn hosts(part: &str, network: &str, bits: &str) -> Result<Vec<IpAddr>, String> {
    let address: Ipv4Addr = network.parse().map_err(|_| format!("{part:?} is no IPv4 network"))?;
    let bits: u32 = bits.parse().ok().filter(|bits| (1..=32).contains(bits)).ok_or_else(|| {
        format!("{part:?} is no IPv4 network: behind the slash stands a number from 1 to 32")
    })?;
    let size = 1u64 << (32 - bits);
    if size > u64::from(MOST) {
        return Err(format!("{part:?} has more than {MOST} addresses"));
    }
    let base = u32::from(address) & !((size - 1) as u32);
    let inner = if size > 2 { 1..size as u32 - 1 } else { 0..size as u32 };
    Ok(inner.map(|host| IpAddr::V4(Ipv4Addr::from(base + host))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_lists_are_read_and_take_turns() {
        let sources = Sources::parse("127.0.0.0/30, 10.0.0.9").unwrap();
        let turns: Vec<_> = (0..4).map(|number| sources.of(number).unwrap().to_string()).collect();
        assert_eq!(turns, ["127.0.0.1", "127.0.0.2", "10.0.0.9", "127.0.0.1"]);
        assert_eq!(Sources::parse("127.0.0.0/24").unwrap().count(), 254);
        assert_eq!((Sources::default().of(3), Sources::default().count()), (None, 1));
        for (bad, why) in [
            ("", "no address"),
            ("a", "no address"),
            ("10.0.0.0/8", "more than"),
            ("10.0.0.0/33", "from 1 to 32"),
            ("::1/64", "no IPv4 network"),
        ] {
            let error = Sources::parse(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
