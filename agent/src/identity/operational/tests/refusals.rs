//! What is not the answer to the request is not taken, and the sentence says why.

use super::super::csr;
use super::super::key;
use super::super::pairs::Pairs;
use super::authority::{Authority, NAME, now};
use super::double::Machine;
use crate::identity::operational::OperationalError;
use chrono::TimeDelta;

fn asked() -> (Authority, Machine, Pairs, String) {
    let machine = Machine::new(None);
    let mut pairs = Pairs::over(Box::new(machine.clone()), None, 0.8).unwrap();
    let csr = pairs.request(&NAME.parse().unwrap(), Some(now())).unwrap().csr;
    (Authority::new(), machine, pairs, csr)
}

#[test]
fn each_has_its_sentence_and_the_request_stays() {
    let (authority, machine, mut pairs, csr) = asked();
    let good = authority.issue(&csr);
    let other = csr::base64(&csr::request(&NAME.parse().unwrap(), &*key::make().unwrap().1).unwrap());
    let stranger = Authority::new().issue(&csr);
    let mut broken = good.clone();
    broken[0].pop();
    let mut forged = good.clone();
    let last = forged[0].len() - 1;
    forged[0][last] ^= 1;
    let reversed: Vec<_> = good.iter().rev().cloned().collect();
    let cases = [
        (vec![], "the issued chain is empty; does the enrollment name a certificate policy?"),
        (vec![good[0].clone(); 9], "the issued chain has 9 certificates in "),
        (vec![vec![0; 40_000]], "and at most 8 in 32768 are taken"),
        (broken, "the issued certificate can't be used: certificate 1 in the answer is damaged: "),
        (authority.issue(&other), "(CN=sensor-thl-001) is for another key than the one that was asked for"),
        (reversed, "(CN=root) is for another key"),
        (
            authority.issue_for(&csr, "sensor-thl-002", 0, 9),
            "is for \"sensor-thl-002\", and sensor-thl-001 has asked for it",
        ),
        (
            authority.issue_for(&csr, NAME, -9, -1),
            "the issued certificate has ended on 2027-01-15 07:59:59 UTC, and it is 2027-01-15 08:00:00 UTC",
        ),
        (authority.issue_for(&csr, NAME, 301, 900), "is valid from 2027-01-15 08:05:01 UTC on, and it is"),
        (
            vec![good[0].clone(), good[2].clone()],
            "certificate 2 has not issued certificate 1: it has another name than the issuer",
        ),
        (vec![good[0].clone(), stranger[1].clone()], "certificate 2 has not issued certificate 1: "),
        (forged, "certificate 2 has not issued certificate 1: "),
    ];
    for (chain, words) in cases {
        let error = pairs.take(&chain, Some(now())).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(pairs.candidates().is_empty() && pairs.under_way().is_some_and(|request| request.csr == csr));
    }
    let files = machine.there().0;
    assert_eq!(files, ["request.json", "request.key"]);
    // A clock that is a little behind is none of their business, nor is one that is not known.
    pairs.take(&authority.issue_for(&csr, NAME, 299, 900), Some(now())).unwrap();
    assert_eq!(pairs.candidates().len(), 1);
    let error = pairs.take(&good, Some(now())).unwrap_err();
    assert!(matches!(error, OperationalError::NotAskedFor), "{error}");
}

#[test]
fn without_the_time_validity_is_judged_by_nobody() {
    let (authority, _, mut pairs, csr) = asked();
    pairs.take(&authority.issue_for(&csr, NAME, -9, -1), None).unwrap();
    let summary = pairs.summary();
    assert_eq!((summary.pairs[0].not_after, &summary.request), (now() - TimeDelta::seconds(1), &None));
    assert!(summary.renewal_due().unwrap() < now());
}

#[test]
fn a_device_of_another_name_asks_anew() {
    let (_, _, mut pairs, csr) = asked();
    let first = pairs.under_way().unwrap();
    assert_eq!(pairs.request(&NAME.parse().unwrap(), None).unwrap(), first);
    assert!(first.rid.len() == 32 && first.rid.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let other = pairs.request(&"other".parse().unwrap(), None).unwrap();
    assert!(other.csr != csr && other.rid != first.rid && other.asked_at.is_none());
}

#[test]
fn no_word_shows_a_key() {
    let (authority, machine, mut pairs, csr) = asked();
    let key = String::from_utf8(super::super::disk::Disk::read(&machine, "request.key").unwrap()).unwrap();
    let secret: Vec<&str> = key.lines().filter(|line| !line.starts_with('-')).collect();
    pairs.take(&authority.issue(&csr), None).unwrap();
    let stored = String::from_utf8(super::super::disk::Disk::read(&machine, "next.pem").unwrap()).unwrap();
    assert!(secret.iter().all(|line| stored.contains(line)));
    let told = format!("{pairs:?} {:?} {:?}", pairs.summary(), pairs.candidates());
    assert!(secret.iter().all(|line| !told.contains(line)), "{told}");
}
