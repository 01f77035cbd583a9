//! How the certificates stand that Azure has issued, in words for people: in `status`, `check` and `provision`.

use crate::platform::clock;
use crate::platform::timestamp::Timestamp;
use crate::status::issued::{IssuedCertificate, IssuedReport};

/// All of them in one line.
pub fn in_words(report: &IssuedReport) -> String {
    let mut parts: Vec<String> = report.certificates.iter().map(certificate).collect();
    if parts.is_empty() {
        parts.push("none yet".into());
    }
    if report.is_asked_for {
        parts.push("another one was asked for".into());
    }
    parts.join("; ")
}

/// What is wrong with them, one sentence each.
pub fn troubles(report: &IssuedReport) -> Vec<String> {
    let mut troubles = report.troubles.clone();
    let certificates = &report.certificates;
    if !certificates.is_empty() && certificates.iter().all(|one| one.days_left.is_some_and(|days| days < 0)) {
        troubles.push("the issued certificate has ended; DPS is asked for another one".into());
    } else if certificates.first().is_some_and(|one| one.refusals > 0) {
        troubles.push("the hub has refused the issued certificate".into());
    }
    troubles
}

fn certificate(one: &IssuedCertificate) -> String {
    let IssuedCertificate { slot, not_after, days_left, renewal_due, refusals, .. } = one;
    let minute = |time: &Option<Timestamp>| time.map_or("?".into(), |time| clock::minute(time.0));
    let mut text = format!("{slot} until {}", minute(not_after));
    if let Some(days) = days_left {
        text += &format!(" ({days} days left)");
    }
    text += &format!(", renewal due {}", minute(renewal_due));
    match refusals {
        0 if slot == "next" => text + ", not yet taken by the hub",
        0 => text,
        1 => text + ", refused by the hub once",
        times => text + &format!(", refused by the hub {times} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_and_what_comes_next_stand_in_one_line() {
        let at = |seconds: i64| {
            Some(Timestamp(chrono::DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()))
        };
        let one = |slot: &str, refusals| IssuedCertificate {
            slot: slot.into(),
            not_after: at(86_400),
            days_left: Some(1),
            renewal_due: at(0),
            refusals,
            ..IssuedCertificate::default()
        };
        let report = |certificates| IssuedReport { certificates, ..IssuedReport::default() };
        assert_eq!(in_words(&report(vec![])), "none yet");
        let two = IssuedReport { is_asked_for: true, ..report(vec![one("current", 0), one("next", 1)]) };
        assert_eq!(
            in_words(&two),
            "current until 2027-01-16 08:00 UTC (1 days left), renewal due 2027-01-15 08:00 UTC; next until 2027-01-16 \
             08:00 UTC (1 days left), renewal due 2027-01-15 08:00 UTC, refused by the hub once; another one was asked for"
        );
        assert!(in_words(&report(vec![one("next", 0)])).ends_with(", not yet taken by the hub"));
        assert_eq!(troubles(&two), Vec::<String>::new());
        assert_eq!(troubles(&report(vec![one("next", 2)])), ["the hub has refused the issued certificate"]);
        let ended = IssuedCertificate { days_left: Some(-1), ..one("current", 0) };
        assert!(troubles(&report(vec![ended]))[0].starts_with("the issued certificate has ended"));
    }
}
