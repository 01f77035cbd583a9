//! Whether there is a way out of this machine, so that a link that returns is used at once and not after a backoff.
//!
//! The routing table is looked at while the agent waits, and only then; that costs less than a netlink socket and
//! needs no rights.

use std::time::Duration;

use tokio::time::sleep;

/// How often the table is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Waits until a default route appears that was not there, and is still there at the next look: a link that flaps is
/// not up. Never returns where there is a route all along, or no routing table to look at.
pub async fn comes_up() {
    let mut before = has_default_route();
    loop {
        sleep(LOOK_EVERY).await;
        let now = has_default_route();
        if before == Some(false) && now == Some(true) {
            sleep(LOOK_EVERY).await;
            if has_default_route() == Some(true) {
                return;
            }
        }
        before = now;
    }
}

/// Whether there is a default route; `None` where that can't be known.
fn has_default_route() -> Option<bool> {
    let v4 = std::fs::read_to_string("/proc/net/route").ok();
    let v6 = std::fs::read_to_string("/proc/net/ipv6_route").ok();
    if v4.is_none() && v6.is_none() {
        return None;
    }
    Some(v4.is_some_and(|table| v4_default(&table)) || v6.is_some_and(|table| v6_default(&table)))
}

/// A line with destination and mask zero: `eth0 00000000 0102A8C0 0003 0 0 100 00000000 …`.
fn v4_default(table: &str) -> bool {
    table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000")
    })
}

/// A line with destination zero and prefix length zero, on an interface other than loopback, where the kernel keeps an
/// unreachable default.
fn v6_default(table: &str) -> bool {
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let everywhere = fields.first().is_some_and(|to| to.bytes().all(|byte| byte == b'0'));
        everywhere
            && fields.get(1) == Some(&"00")
            && fields.last().is_some_and(|interface| *interface != "lo")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_route_is_recognised() {
        let header = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
        let default = "wwan0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n";
        let local = "wwan0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";
        assert!(v4_default(&format!("{header}{local}{default}")));
        assert!(!v4_default(&format!("{header}{local}")));
        assert!(!v4_default(header));
    }

    #[test]
    fn an_unreachable_v6_default_is_none() {
        let line = |interface: &str| {
            format!("{0} 00 {0} 00 {0} ffffffff 00000001 00000000 00200200 {interface}\n", "0".repeat(32))
        };
        assert!(v6_default(&line("wwan0")));
        assert!(!v6_default(&line("      lo")));
    }
}
