//! Whether the service is installed, enabled and runs.

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};

const UNIT: &str = "container-tracker.service";

pub(super) const CHECK: Check = Check {
    id: "systemd",
    sentence: "the service is installed, enabled and runs",
    needs: &[],
    within: Duration::from_secs(10),
    look: Look::By(look),
};

fn look(_: &Context) -> Result<Finding, Finding> {
    let asked = "--property=LoadState,ActiveState,SubState,Result,NRestarts,UnitFileState";
    let Ok(output) = Command::new("systemctl").args(["show", asked, UNIT]).output() else {
        return Ok(Finding::skip("there is no systemd here"));
    };
    if !output.status.success() {
        return Ok(Finding::skip("systemd does not run here"));
    }
    Ok(judge(&String::from_utf8_lossy(&output.stdout)))
}

/// Judges what `systemctl show` says.
fn judge(text: &str) -> Finding {
    let properties: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let property = |name: &str| properties.get(name).copied().unwrap_or_default();
    if property("LoadState") != "loaded" {
        return Finding::skip(format!("{UNIT} is not installed"));
    }
    let state = format!("{} ({})", property("ActiveState"), property("SubState"));
    let restarts = property("NRestarts");
    let log = "look at its log: journalctl -u container-tracker -n 50";
    if property("ActiveState") != "active" {
        let result = property("Result");
        let why = if result == "success" { String::new() } else { format!(", {result}") };
        let mend = format!("start it: systemctl start container-tracker; {log}");
        return Finding::warn(format!("the service is {state}{why}"), mend);
    }
    if !matches!(property("UnitFileState"), "enabled" | "enabled-runtime") {
        let text = format!("the service is {state}, but does not start with the machine");
        return Finding::warn(text, "systemctl enable container-tracker");
    }
    if !matches!(restarts, "" | "0") {
        return Finding::warn(format!("the service is {state} and was restarted {restarts} times"), log);
    }
    Finding::pass(format!("the service is {state}"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn judges_what_systemctl_says() {
        let unit = |more: &str| judge(&format!("LoadState=loaded\nResult=success\n{more}"));
        let well = unit("ActiveState=active\nSubState=running\nNRestarts=0\nUnitFileState=enabled\n");
        assert_eq!((well.verdict, &*well.text), (Verdict::Pass, "the service is active (running)"));
        let again = unit("ActiveState=active\nSubState=running\nNRestarts=3\nUnitFileState=enabled\n");
        assert_eq!(again.text, "the service is active (running) and was restarted 3 times");
        let off = unit("ActiveState=inactive\nSubState=dead\nUnitFileState=enabled\n");
        assert!(off.mend.unwrap().starts_with("start it: systemctl start container-tracker"));
        let once = unit("ActiveState=active\nSubState=running\nUnitFileState=disabled\n");
        assert_eq!(once.mend.unwrap(), "systemctl enable container-tracker");
        assert_eq!(judge("LoadState=not-found\n").verdict, Verdict::Skip);
    }
}
