//! What this program may use of its machine, and what it has used.

use std::time::Duration;

/// Files that a program has open beside its connections.
const BESIDE: u64 = 64;
/// The same of a server, with its services' clients and what it keeps.
const BESIDE_GUESTS: u64 = 256;
/// More than this no machine of today serves from one program.
const MOST_GUESTS: u64 = 200_000;

/// What is too little of, in a sentence each: for so many connections at once, from so many source addresses to one server.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shortages {
    /// It can't go well.
    pub fatal: Vec<String>,
    /// It may go well.
    pub doubtful: Vec<String>,
}

/// What there is.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open files, after they were raised as far as that goes, and how far anybody could.
    pub files: Option<(u64, u64)>,
    /// The first and the last port that the system gives a connection.
    pub ports: Option<(u16, u16)>,
}

impl Limits {
    /// Those of this program; the limit of open files is raised as far as it may be.
    pub fn of_this_program() -> Self {
        Self { files: raised_files(), ports: ports() }
    }

    /// So many connections may come to a server in this program, beside what else it has open; `None` where nobody says.
    pub fn guests(&self) -> Option<usize> {
        let (soft, _) = self.files?;
        usize::try_from(soft.saturating_sub(BESIDE_GUESTS).clamp(BESIDE_GUESTS, MOST_GUESTS)).ok()
    }

    /// Whether it is enough: `at_one_server` is the most connections to one of them.
    pub fn check(&self, connections: u64, at_one_server: u64, sources: u64) -> Shortages {
        let mut found = Shortages::default();
        if let Some((soft, hard)) = self.files
            && soft < connections + BESIDE
        {
            found.fatal.push(format!(
                "{connections} devices need {} open files, and this program may open {soft} (hard limit {hard}): raise it with \
                 `ulimit -n {}`, or play no more than {} devices in one program (--shard)",
                connections + BESIDE,
                connections + BESIDE,
                soft.saturating_sub(BESIDE)
            ));
        }
        if let Some((first, last)) = self.ports {
            let ports = u64::from(last.saturating_sub(first)) + 1;
            let there = ports.saturating_mul(sources.max(1));
            let (sources, wanted) = (sources.max(1), at_one_server.div_ceil(ports));
            if there < at_one_server {
                found.fatal.push(format!(
                    "{at_one_server} devices at one server need as many ports, and {sources} source address{} ha{} {there} \
                     (net.ipv4.ip_local_port_range is {first} {last}): name {wanted} or more with --source, or widen the range",
                    if sources == 1 { "" } else { "es" },
                    if sources == 1 { "s" } else { "ve" },
                ));
            } else if there < at_one_server.saturating_mul(2) {
                found.doubtful.push(format!(
                    "{at_one_server} devices at one server use most of {there} ports, and a connection that has ended keeps its \
                     port for a minute: name {} or more addresses with --source if ports run out",
                    at_one_server.saturating_mul(2).div_ceil(ports)
                ));
            }
        }
        found
    }
}

#[cfg(unix)]
fn raised_files() -> Option<(u64, u64)> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
        // Where it may not be raised, it stays.
        let _ = setrlimit(Resource::Nofile, raised);
        let soft = getrlimit(Resource::Nofile).current;
        Some((soft.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX)))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(not(unix))]
fn raised_files() -> Option<(u64, u64)> {
    None
}

/// The first and the last port that the system gives a connection.
pub(super) fn ports() -> Option<(u16, u16)> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Kilobytes of memory that are this program's own now, and the most that it has had of all kinds; where the system tells. Pages of its
/// file, which the system takes back for nothing, grow with what it has done so far, and not with devices.
pub fn memory_kb() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some((value("RssAnon:")?, value("VmHWM:")?))
}

/// Processor time of this program so far; where the system tells.
pub fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    // A hundred a second, on every Linux.
    Some(Duration::from_millis(ticks * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_little_is_told_with_numbers() {
        let limits = Limits { files: Some((1024, 20_000)), ports: Some((32_768, 60_999)) };
        assert_eq!(limits.check(900, 900, 1), Shortages::default());
        assert_eq!(limits.guests(), Some(768));
        let few = limits.check(1000, 1000, 1).fatal;
        assert!(
            few.len() == 1 && few[0].contains("`ulimit -n 1064`") && few[0].contains("hard limit 20000"),
            "{few:?}"
        );
        let limits = Limits { files: Some((200_000, 200_000)), ..limits };
        let ports = limits.check(100_000, 100_000, 1).fatal;
        assert!(ports.len() == 1 && ports[0].contains("name 4 or more with --source"), "{ports:?}");
        assert_eq!(limits.check(100_000, 100_000, 8), Shortages::default());
        assert_eq!(limits.check(100_000, 100_000, 4).doubtful.len(), 1);
    }
}
