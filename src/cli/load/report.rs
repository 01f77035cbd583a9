//! What was measured, for people and for programs.

use serde_json::{Map, Value, json};

use crate::lab::load::{Latency, Merged, Times};

/// Of latencies.
const PERCENTILES: [(&str, f64); 5] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0)];

/// For people.
pub(super) fn text(merged: &Merged) -> String {
    let Merged { run, devices, messages, traffic, .. } = merged;
    let mut lines = vec![
        format!(
            "fleet     {}… of seed {}, {}, a reading every {} s, {} of each; {} part{}, {:.0} s",
            run.prefix,
            run.seed,
            name(&run.profile),
            run.interval_s,
            run.readings,
            merged.parts,
            if merged.parts == 1 { "" } else { "s" },
            merged.seconds
        ),
        format!(
            "devices   {} of {} online{}; {} finished, {} gave up",
            devices.online,
            devices.planned,
            ready(merged),
            devices.finished,
            devices.failed
        ),
        format!(
            "messages  {} of {} acknowledged, {} sent again; {}",
            messages.acknowledged,
            messages.planned,
            messages.resent,
            received(merged)
        ),
        format!(
            "traffic   {:.1} MB of topics and bodies; {} connections to DPS, {} to hubs, {} of them lost; {} times told to wait",
            traffic.bytes as f64 / 1e6,
            traffic.dps_connections,
            traffic.hub_connections,
            traffic.lost,
            traffic.throttled
        ),
    ];
    if let Some(each) = merged.device_memory_kb {
        lines.push(format!("memory    {each:.0} KB a device"));
    }
    if merged.latencies.values().any(|times| times.count() > 0) {
        lines.push(String::new());
        lines.extend(table(merged));
    }
    if !merged.faults.is_empty() {
        lines.push(String::new());
        lines.extend(merged.faults.iter().map(|(kind, faults)| {
            format!("fault     {} {}, the first: {}", faults.count, kind.name(), faults.example)
        }));
    }
    if !merged.remarks.is_empty() || !merged.problems.is_empty() {
        lines.push(String::new());
    }
    lines.extend(merged.remarks.iter().map(|remark| format!("note      {remark}")));
    lines.extend(merged.problems.iter().map(|problem| format!("problem   {problem}")));
    if merged.problems.is_empty() {
        lines.push(match merged.received {
            Some(_) => "all that was sent was received".into(),
            None => "all that was sent was acknowledged".into(),
        });
    }
    lines.join("\n")
}

fn ready(merged: &Merged) -> String {
    match (merged.ready_s, merged.devices_per_second) {
        (Some(ready), Some(rate)) => format!(" after {ready:.1} s, {rate:.0} a second"),
        _ => String::new(),
    }
}

fn received(merged: &Merged) -> String {
    match merged.received {
        Some(received) => format!("hubs have {}, {} of them twice", received.distinct, received.duplicates),
        None => "hubs do not tell".into(),
    }
}

fn table(merged: &Merged) -> Vec<String> {
    let titles: String = PERCENTILES.iter().map(|(title, _)| format!("{title:>11}")).collect();
    let mut lines = vec![format!("{:<13}{:>9}{titles}", "latency", "count")];
    for latency in Latency::ALL {
        let Some(times) = merged.latencies.get(&latency).filter(|times| times.count() > 0) else { continue };
        let cells: String =
            PERCENTILES.iter().map(|(_, percent)| format!("{:>11}", told(times, *percent))).collect();
        lines.push(format!("{:<13}{:>9}{cells}", latency.name(), times.count()));
    }
    lines
}

fn told(times: &Times, percent: f64) -> String {
    let ms = milliseconds(times, percent).unwrap_or_default();
    if ms < 10_000.0 { format!("{ms:.1} ms") } else { format!("{:.1} s", ms / 1000.0) }
}

fn milliseconds(times: &Times, percent: f64) -> Option<f64> {
    times.percentile(percent).map(|time| time.as_micros() as f64 / 1000.0)
}

/// For programs.
pub(super) fn json(merged: &Merged) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(merged)?;
    let of = |times: &Times| {
        let mut row = Map::new();
        row.insert("count".into(), times.count().into());
        for (title, percent) in PERCENTILES {
            row.insert(format!("{title}Ms"), json!(milliseconds(times, percent)));
        }
        Value::Object(row)
    };
    let latencies: Map<String, Value> =
        merged.latencies.iter().map(|(latency, times)| (latency.name().to_owned(), of(times))).collect();
    value["latencies"] = Value::Object(latencies);
    Ok(value)
}

fn name(profile: &impl serde::Serialize) -> String {
    let name = serde_json::to_value(profile).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}
