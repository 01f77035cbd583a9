//! A thousand forgeries, by seed: the number of what was forged is named, or a sentence says why it can't be.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::super::chain::Chain;
use super::super::fault::Fault;
use super::super::input::{Received, read};
use super::super::record::Record;
use super::super::verdict::Verdict;
use super::scene::{Authority, COMPACT, DEVICE, GZIP, SINGLE, Scene, Signer, of_messages};
use crate::config::DeliveryMode;
use tracker_evidence::{Hash, Run, Statement};

const FORGERIES: u64 = 1000;
const KINDS: [&str; 10] = [
    "byte",
    "byte and its hash",
    "gap",
    "insert",
    "swap",
    "foreign key",
    "forged thinning",
    "forged loss",
    "cut tail",
    "all hashes anew",
];

/// What a forger has in hand.
struct Original {
    messages: Vec<Received>,
    /// Numbers of readings.
    readings: Vec<u64>,
    /// By number.
    hashes: BTreeMap<u64, Hash>,
    /// The last that is signed.
    signed_to: u64,
    single: bool,
}

async fn original(mode: DeliveryMode, signer: &Signer) -> Original {
    let mut scene = Scene::new(1 << 20);
    scene.measure(3);
    scene.deliver(mode, 32).await;
    scene.state(&signer.certificate());
    for _ in 0..3 {
        scene.measure(24);
        scene.sign(signer).await;
        scene.deliver(mode, 200).await;
        scene.now += TimeDelta::hours(3);
    }
    scene.reboot(true).await;
    scene.measure(14);
    scene.deliver(mode, 200).await;
    let messages = read(&scene.lines.join("\n")).unwrap();
    let is_reading = |body: &&String| !body.contains("\"evidence\"");
    let readings: BTreeSet<u64> = messages
        .iter()
        .flat_map(|message| message.bodies.iter().filter(is_reading))
        .map(|body| number(body))
        .collect();
    let mut record = Record::default();
    for message in messages.iter().cloned() {
        record.add(message);
    }
    let hashes = Chain::over(&record, |_, _| true).hashes;
    let signed = record.statements().filter_map(|(_, statement)| match statement {
        Statement::Signature { up_to, .. } => Some(up_to),
        _ => None,
    });
    let (readings, single) = (readings.into_iter().collect(), !mode.batch_backlog);
    Original { messages, hashes, readings, single, signed_to: signed.max().unwrap() }
}

fn number(body: &str) -> u64 {
    serde_json::from_str::<Value>(body).unwrap()["seq"].as_u64().unwrap()
}

fn numbers(messages: &[Received]) -> BTreeSet<u64> {
    messages.iter().flat_map(|message| &message.bodies).map(|body| number(body)).collect()
}

fn body_of(messages: &[Received], seq: u64) -> Value {
    let bodies = messages.iter().flat_map(|message| &message.bodies);
    serde_json::from_str(bodies.into_iter().find(|body| number(body) == seq).unwrap()).unwrap()
}

/// Puts another body in the place of one, in all copies or in the first alone.
fn replace(messages: &mut [Received], seq: u64, body: &Value, everywhere: bool) {
    for message in messages {
        for old in message.bodies.iter_mut().filter(|old| number(old) == seq) {
            *old = body.to_string();
            if !everywhere {
                return;
            }
        }
    }
}

fn change(body: &mut Value) {
    body["temperature"] = (body["temperature"].as_f64().unwrap() + 0.01).into();
}

/// Computes all hashes from this number on anew, as far as a forger can, and signs anew where he has a key.
fn hash_anew(messages: &mut [Received], from: u64, signer: Option<&Signer>) {
    let mut bodies: BTreeMap<u64, String> = BTreeMap::new();
    for body in messages.iter().flat_map(|message| &message.bodies) {
        bodies.insert(number(body), body.clone());
    }
    let stated = |messages: &[Received], seq: u64| {
        messages
            .iter()
            .find(|message| message.bodies.last().is_some_and(|body| number(body) == seq))
            .and_then(|m| m.chain.clone())
    };
    let (mut state, mut hashes) = (Hash::NONE, BTreeMap::<u64, Hash>::new());
    let mut last = 0;
    for (seq, body) in &mut bodies {
        let mut value: Value = serde_json::from_str(body).unwrap();
        if value["evidence"] == "start" && *seq >= from && last > 0 {
            value["head"] = state.to_string().into();
            value["after"] = last.into();
        }
        if let Some(signer) = signer {
            let stated = match value["evidence"].as_str() {
                Some("certificate") => Some(signer.certificate()),
                Some("signature") => {
                    let up_to = value["upTo"].as_u64().unwrap();
                    Some(signer.signature(up_to, hashes[&up_to]))
                }
                _ => None,
            };
            if let Some(stated) = stated {
                let (time, seq) = (value["time"].clone(), value["seq"].clone());
                value = serde_json::from_str(&stated.to_fields()).unwrap();
                (value["time"], value["seq"]) = (time, seq);
            }
        }
        *body = value.to_string();
        state = state.next(body).unwrap();
        if *seq < from
            && let Some(Ok(hash)) = stated(messages, *seq)
        {
            state = hash;
        }
        hashes.insert(*seq, state);
        last = *seq;
    }
    for message in messages {
        for body in &mut message.bodies {
            body.clone_from(&bodies[&number(body)]);
        }
        if let Some(seq) = message.bodies.last().map(|body| number(body)).filter(|seq| *seq >= from) {
            message.chain = Some(Ok(hashes[&seq]));
        }
    }
}

fn remove(messages: &mut Vec<Received>, seqs: &BTreeSet<u64>) {
    for message in messages.iter_mut() {
        message.bodies.retain(|body| !seqs.contains(&number(body)));
    }
    messages.retain(|message| !message.bodies.is_empty());
}

/// Leaves some readings out, and has an entry at the end say that the device has thinned them.
fn thin(original: &Original, mut messages: Vec<Received>, at: usize) -> Vec<Received> {
    let readings = &original.readings;
    let (seq, last) = (readings[at], *readings.last().unwrap());

    let gone: BTreeSet<u64> = readings[at..].iter().copied().take_while(|next| *next < seq + 8).collect();
    let to = *gone.last().unwrap();
    let hashes = &original.hashes;
    let (before, digest) = hashes.range(..seq).next_back().unwrap();
    let run = Run { from: *before, to, digest: *digest, head: hashes[&to] };
    let fields = Statement::Thinned { gone: gone.len() as u64, runs: vec![run] }.to_fields();
    let mut body: Value = serde_json::from_str(&fields).unwrap();
    (body["time"], body["seq"]) = (body_of(&messages, last)["time"].clone(), json!(last + 1));
    let end = hashes[&last];
    remove(&mut messages, &gone);
    let body = body.to_string();
    // He goes on from the last hash, so that the statement itself fits.
    let chain = Some(Ok(end.next(&body).unwrap()));
    messages.push(Received { device: DEVICE.into(), line: messages.len() + 1, bodies: vec![body], chain });
    messages
}

/// Leaves a reading out, and has an entry at the end say that the device has lost all from there on: behind the one before it, or
/// ever.
fn lose(original: &Original, mut messages: Vec<Received>, seq: u64, knows: bool) -> Vec<Received> {
    let last = *original.readings.last().unwrap();
    let known = original.hashes.range(..seq).next_back().filter(|_| knows);
    let fields = Statement::start(last + 1, known.map(|(before, hash)| (*before, *hash))).to_fields();
    let mut body: Value = serde_json::from_str(&fields).unwrap();
    (body["time"], body["seq"]) = (body_of(&messages, last)["time"].clone(), json!(last + 1));
    remove(&mut messages, &[seq].into());
    let body = body.to_string();
    let chain = known.map_or(Hash::NONE, |(_, hash)| *hash).next(&body).map(Ok);
    messages.push(Received { device: DEVICE.into(), line: messages.len() + 1, bodies: vec![body], chain });
    messages
}

/// Forges; gives the number of the first reading that is not as it was, and what must be able to tell by number.
fn forge(original: &Original, kind: &str, random: &mut StdRng, foreign: &Signer) -> (Vec<Received>, u64) {
    let mut messages = original.messages.clone();
    let Original { readings, .. } = original;
    let at = random.random_range(0..readings.len() - 1);
    let seq = readings[at];
    let last = *readings.last().unwrap();
    match kind {
        "byte" | "byte and its hash" | "all hashes anew" => {
            let mut body = body_of(&messages, seq);
            change(&mut body);
            replace(&mut messages, seq, &body, kind != "byte" || random.random_bool(0.5));
            match kind {
                "all hashes anew" => hash_anew(&mut messages, seq, None),
                "byte and its hash" => {
                    let before = messages.clone();
                    hash_anew(&mut messages, seq, None);
                    // Of his own message alone.
                    for (message, before) in messages.iter_mut().zip(before) {
                        if !message.bodies.iter().any(|body| number(body) == seq) {
                            *message = before;
                        }
                    }
                }
                _ => {}
            }
            (messages, seq)
        }
        "gap" => {
            remove(&mut messages, &[seq].into());
            (messages, seq)
        }
        "insert" => {
            let mut body = body_of(&messages, seq);
            change(&mut body);
            // A number that is taken, or one where numbers have jumped, or one behind the end.
            let free: Vec<u64> =
                readings.windows(2).filter(|pair| pair[1] > pair[0] + 100).map(|pair| pair[0] + 50).collect();
            let number = *[seq, *free.choose(random).unwrap(), last + 1].choose(random).unwrap();
            body["seq"] = number.into();
            let chain = random.random_bool(0.5).then(|| Ok(Hash::NONE.next(&body.to_string()).unwrap()));
            let line = messages.len() + 1;
            messages.push(Received { device: DEVICE.into(), line, bodies: vec![body.to_string()], chain });
            (messages, number)
        }
        "swap" => {
            let other = readings[random.random_range(at + 1..readings.len())];
            let (mut one, mut two) = (body_of(&messages, seq), body_of(&messages, other));
            for member in ["seq", "time"] {
                let kept = one[member].clone();
                one[member] = std::mem::replace(&mut two[member], kept);
            }
            replace(&mut messages, seq, &two, true);
            replace(&mut messages, other, &one, true);
            (messages, seq)
        }
        "foreign key" => {
            let mut body = body_of(&messages, seq);
            change(&mut body);
            replace(&mut messages, seq, &body, true);
            hash_anew(&mut messages, 0, Some(foreign));
            (messages, seq)
        }
        "forged thinning" => (thin(original, messages, at), seq),
        "forged loss" => (lose(original, messages, seq, random.random_bool(0.5)), seq),
        _ => {
            let gone: BTreeSet<u64> = numbers(&messages).into_iter().filter(|other| *other > seq).collect();
            // Whole messages: who takes some readings out of one changes it.
            let all = numbers(&messages);
            messages.retain(|message| !message.bodies.iter().any(|body| gone.contains(&number(body))));
            let first = all.difference(&numbers(&messages)).next().copied();
            (messages, first.unwrap_or(seq))
        }
    }
}

/// Whether the number is named, or the sentence is one about more than it.
fn named(fault: &Fault, seq: u64) -> bool {
    match fault {
        Fault::OneOf { from, to } => (*from..=*to + 1).contains(&seq),
        Fault::LeftOut { from, to } if from < to => (*from..=*to).contains(&seq),
        // Of a message that has lost its end the hash is that of a reading that is not there.
        Fault::Hash { seq: found } => *found <= seq,
        Fault::Changed { seq: found } => (*found..=found + 1).contains(&seq),
        Fault::Signed { after, up_to } => after.is_none_or(|after| after < seq) && seq <= *up_to,
        Fault::Unproven { why, .. } => named(why, seq),
        Fault::Signature { .. } | Fault::Unsigned { .. } => true,
        other => other.seq() == Some(seq),
    }
}

fn is_told(kind: &str, verdict: &Verdict, original: &Original, seq: u64) -> bool {
    let says = verdict.sentences().join("\n");
    match (kind, &verdict.fault) {
        ("cut tail", None) => says.contains("only a signature that comes later can show"),
        // What fits its own hash, and not the next one's.
        ("byte and its hash", Some(Fault::Changed { seq: found } | Fault::OneOf { from: found, .. }))
            if *found > seq =>
        {
            says.contains("what is before was changed together with its hash")
        }
        ("byte and its hash", Some(Fault::Hash { .. })) => says.contains("together with their hashes"),
        ("byte and its hash" | "all hashes anew", None) => {
            says.contains("readings come after the last signature")
        }
        ("forged loss", None) => seq > original.signed_to && says.contains("or left out, can't be seen"),
        ("insert", None) => says.contains(&format!("{seq}")) && says.contains("or they were put in"),
        (_, Some(fault)) => named(fault, seq),
        (_, None) => false,
    }
}

#[tokio::test]
async fn of_a_thousand_forgeries_none_passes() {
    let authority = Authority::new("Root");
    let (signer, stranger) = (authority.signer(DEVICE), Authority::new("Root").signer(DEVICE));
    let roots = authority.roots();
    let mut originals = Vec::new();
    for mode in [SINGLE, GZIP, COMPACT] {
        let original = original(mode, &signer).await;
        let verdict = of_messages(original.messages.clone(), Some(&roots));
        assert!(verdict.is_good(), "{:?}", verdict.sentences());
        originals.push(original);
    }
    let (mut exact, mut of_single) = (0, 0);
    for seed in 0..FORGERIES {
        let mut random = StdRng::seed_from_u64(seed);
        let original = originals.choose(&mut random).unwrap();
        let kind = KINDS[seed as usize % KINDS.len()];
        let (messages, seq) = forge(original, kind, &mut random, &stranger);
        let verdict = of_messages(messages, Some(&roots));
        let told = is_told(kind, &verdict, original, seq);
        assert!(told, "seed {seed}, {kind} at {seq}, single {}: {:#?}", original.single, verdict.sentences());
        if ["byte", "gap", "swap"].contains(&kind) && original.single {
            of_single += 1;
            exact += u64::from(verdict.fault.as_ref().and_then(Fault::seq) == Some(seq));
        }
    }
    assert_eq!(exact, of_single, "where each reading is a message of its own the very number is named");
}
