//! Packets that follow CONNECT at once, and servers that mind them: they are waited for, and no reading is lost or doubled.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use container_tracker::config::Config;
use container_tracker::event::Event;
use container_tracker::lab::Cloud;
use container_tracker::link::dialer::Dialer;
use container_tracker::link::timing::Timing;
use container_tracker::link::{Link, LinkErrorKind};
use container_tracker::uplink::assignment::AssignmentFile;
use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;
use tracker_protocol::Publish;

use super::link::{CONNACK, CONNECT, PINGREQ, PUBACK, PUBLISH, Peer, Server, at_home};
use super::support::agent::{Agent, PATIENCE, mild_chip};
use super::support::scene::{DEVICE, fast};

const SUBSCRIBE: u8 = 8;
const HUB: &str = "hub.example.net";
/// Whoever does not wait for CONNACK has said all within this time: it leaves together.
const EARLY: Duration = Duration::from_millis(100);

/// What a server does with packets that come before its CONNACK.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Takes,
    Closes,
    Resets,
    /// It says CONNACK, and closes then.
    ClosesAfterConnack,
    /// It goes on as if it had not heard them.
    Ignores,
    /// It has not heard the readings among them.
    IgnoresReadings,
    /// It takes them, and answers them much later than CONNECT.
    Late,
}

/// One connection as the server saw it.
#[derive(Debug, Default, Clone)]
struct Seen {
    dps: bool,
    /// Kinds of the packets that came before CONNACK.
    early: Vec<u8>,
    /// Sequence numbers of the readings that the server has taken.
    taken: Vec<u64>,
    subscribed: u32,
}

type Log = Arc<Mutex<Vec<Seen>>>;

/// DPS and hub in one, with these manners.
fn serve(manner: Manner) -> (Server, Log) {
    let log = Log::default();
    let seen = log.clone();
    (Server::start(move |peer| treat(peer, manner, &seen)), log)
}

fn treat(mut peer: Peer, manner: Manner, log: &Log) {
    let (kind, connect) = peer.packet().unwrap();
    assert_eq!(kind, CONNECT);
    let dps = String::from_utf8_lossy(&connect).contains("/registrations/");
    peer.0.sock.set_read_timeout(Some(EARLY)).unwrap();
    let mut early: Vec<_> = std::iter::from_fn(|| peer.packet()).collect();
    peer.0.sock.set_read_timeout(None).unwrap();
    let kinds = early.iter().map(|(kind, _)| *kind).collect();
    log.lock().unwrap().push(Seen { dps, early: kinds, ..Seen::default() });
    if !early.is_empty() {
        match manner {
            Manner::Closes => return,
            Manner::Resets => {
                set_socket_linger(&peer.0.sock, Some(Duration::ZERO)).unwrap();
                return;
            }
            Manner::ClosesAfterConnack => return peer.say(&CONNACK),
            Manner::Ignores => early.clear(),
            Manner::IgnoresReadings => early.retain(|packet| reading(packet).is_none()),
            Manner::Takes | Manner::Late => {}
        }
    }
    peer.say(&CONNACK);
    if manner == Manner::Late && !early.is_empty() {
        std::thread::sleep(Duration::from_millis(600));
    }
    for packet in early {
        answer(&mut peer, &packet, log);
    }
    while let Some(packet) = peer.packet() {
        answer(&mut peer, &packet, log);
    }
}

/// Topic, packet ID and body of a PUBLISH at `QoS` 1.
fn taken_apart(body: &[u8]) -> (String, [u8; 2], &[u8]) {
    let end = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
    (String::from_utf8(body[2..end].to_vec()).unwrap(), [body[end], body[end + 1]], &body[end + 2..])
}

/// The sequence numbers of the readings in this packet.
fn reading((kind, body): &(u8, Vec<u8>)) -> Option<Vec<u64>> {
    let (topic, _, body) = (*kind == PUBLISH).then(|| taken_apart(body))?;
    topic.starts_with("devices/").then(|| match serde_json::from_slice(body).unwrap() {
        Value::Array(readings) => readings.iter().map(|reading| reading["seq"].as_u64().unwrap()).collect(),
        reading => vec![reading["seq"].as_u64().unwrap()],
    })
}

fn answer(peer: &mut Peer, packet: &(u8, Vec<u8>), log: &Log) {
    let (kind, body) = packet;
    match *kind {
        SUBSCRIBE => {
            log.lock().unwrap().last_mut().unwrap().subscribed += 1;
            peer.say(&[0x90, 3, body[0], body[1], 1]);
        }
        PINGREQ => peer.say(&[0xd0, 0]),
        PUBLISH => {
            let (topic, id, _) = taken_apart(body);
            log.lock().unwrap().last_mut().unwrap().taken.extend(reading(packet).into_iter().flatten());
            peer.say(&[PUBACK << 4, 2, id[0], id[1]]);
            let request = topic.rsplit_once("$rid=").map_or("", |(_, request)| request);
            if topic.starts_with("$dps/registrations/PUT/") {
                let state = json!({"assignedHub": HUB, "deviceId": DEVICE});
                let body = json!({"operationId": "x", "status": "assigned", "registrationState": state});
                say(peer, &format!("$dps/registrations/res/200/?$rid={request}"), &body);
            } else if topic.starts_with("$iothub/twin/GET/") {
                let twin = json!({"desired": {"telemetryInterval": 1, "$version": 1}, "reported": {}});
                say(peer, &format!("$iothub/twin/res/200/?$rid={request}"), &twin);
            } else if topic.starts_with("$iothub/twin/PATCH/") {
                say(peer, &format!("$iothub/twin/res/204/?$rid={request}&$version=2"), &Value::Null);
            }
        }
        _ => {}
    }
}

/// Publishes to the device at `QoS` 0.
fn say(peer: &mut Peer, topic: &str, body: &Value) {
    let body = body.to_string();
    let length = 2 + topic.len() + body.len();
    let head = [0x30, 0x80 | (length % 128) as u8, (length / 128) as u8, 0, topic.len() as u8];
    peer.say(&[&head, topic.as_bytes(), body.as_bytes()].concat());
}

async fn delivered(agent: &mut Agent, count: usize) {
    let is_delivery = |event: &&Event| matches!(event, Event::Delivered { .. });
    agent.wait_until("deliveries", |events| events.iter().filter(is_delivery).count() >= count).await;
}

/// A device that no hub is assigned to yet; it measures once a second.
async fn device(server: &Server, directory: &TempDir) -> Config {
    let cloud = Cloud::start(directory.path(), 1).await.unwrap();
    let config = at_home(&cloud, server, directory.path());
    AssignmentFile::new(&config.state.directory).write(None).unwrap();
    config
}

/// Every reading once, none left out. Each start numbers from the time on.
fn assert_all_taken_once(log: &Log, starts: usize, story: &str) {
    let mut taken: Vec<u64> = log.lock().unwrap().iter().flat_map(|seen| seen.taken.clone()).collect();
    taken.sort_unstable();
    assert!(taken.windows(2).all(|two| two[0] < two[1]), "one came twice: {taken:?}: {story}");
    let jumps = taken.windows(2).filter(|two| two[0] + 1 < two[1]).count();
    assert!(jumps < starts, "one is missing: {taken:?}: {story}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_a_start_has_to_say_follows_connect_at_once() {
    let (server, log) = serve(Manner::Takes);
    let directory = tempfile::tempdir().unwrap();
    let config = device(&server, &directory).await;
    for start in 1..=2 {
        let mut agent = Agent::start_with(config.clone(), Some(&mild_chip()), None, fast());
        delivered(&mut agent, 2).await;
        agent.wait_for_words("twin: telemetryInterval = 1").await;
        let story = agent.story();
        agent.stop().await;
        let seen = std::mem::take(&mut *log.lock().unwrap());
        let (dps, hub) = seen.split_at(usize::from(start == 1));
        if let Some(dps) = dps.first() {
            assert_eq!((dps.dps, &dps.early[..]), (true, &[SUBSCRIBE, PUBLISH][..]), "{story}");
        }
        // The twin's request after its subscription; and a reading, if there was one yet.
        assert_eq!(
            (hub.len(), hub[0].dps, &hub[0].early[..2]),
            (1, false, &[SUBSCRIBE, PUBLISH][..]),
            "{story}"
        );
        assert!(hub[0].early.len() <= 3, "no more than one reading: {hub:?}");
        assert_eq!(hub[0].subscribed, 1);
    }
}

/// Servers that mind, at DPS and hub, at two starts: found out by one connection each, and remembered.
async fn minded(manner: Manner) {
    let (server, log) = serve(manner);
    let directory = tempfile::tempdir().unwrap();
    let config = device(&server, &directory).await;
    let mut agent = Agent::start_with(config.clone(), Some(&mild_chip()), None, fast());
    delivered(&mut agent, 3).await;
    let told = format!("{HUB} minds packets before its CONNACK: it is waited for from now on");
    agent.wait_for_words(&told).await;
    agent.wait_for_words("twin: telemetryInterval = 1").await;
    let story = agent.story();
    agent.stop().await;
    let seen = log.lock().unwrap().clone();
    let early: Vec<_> = seen.iter().map(|seen| (seen.dps, !seen.early.is_empty())).collect();
    let expected = match manner {
        // DPS is sent no readings.
        Manner::IgnoresReadings => vec![(true, true), (false, true), (false, false)],
        _ => vec![(true, true), (true, false), (false, true), (false, false)],
    };
    assert_eq!(early, expected, "{manner:?}: {story}");
    assert!(
        story.matches("trying again in").count() == story.matches("trying again in 0 s").count(),
        "{manner:?}: not after a wait: {story}"
    );
    assert!(AssignmentFile::new(&config.state.directory).read().unwrap().unwrap().waits_for_connack);

    let mut agent = Agent::start_with(config, Some(&mild_chip()), None, fast());
    delivered(&mut agent, 2).await;
    let story = agent.story();
    agent.stop().await;
    let again: Vec<_> = log.lock().unwrap()[seen.len()..].to_vec();
    assert!(matches!(&again[..], [Seen { dps: false, early, .. }] if early.is_empty()), "{again:?}: {story}");
    assert_all_taken_once(&log, 2, &story);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_closes_at_early_packets_is_waited_for() {
    tokio::join!(minded(Manner::Closes), minded(Manner::Resets), minded(Manner::ClosesAfterConnack));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_early_packets_is_waited_for() {
    tokio::join!(minded(Manner::Ignores), minded(Manner::IgnoresReadings));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_late_is_not_held_to_mind() {
    let (server, log) = serve(Manner::Late);
    let directory = tempfile::tempdir().unwrap();
    let config = device(&server, &directory).await;
    let mut agent = Agent::start_with(config.clone(), Some(&mild_chip()), None, fast());
    delivered(&mut agent, 3).await;
    let story = agent.story();
    agent.stop().await;
    let seen = log.lock().unwrap().clone();
    let early: Vec<_> = seen.iter().map(|seen| (seen.dps, !seen.early.is_empty())).collect();
    assert_eq!(early, [(true, true), (false, true)], "{story}");
    assert!(seen.iter().all(|seen| seen.subscribed == 2), "it is asked whether it has heard the first");
    assert!(!AssignmentFile::new(&config.state.directory).read().unwrap().unwrap().waits_for_connack);
    assert_all_taken_once(&log, 1, &story);
}

/// A server that closes whatever comes is not tried twice as often as before.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_always_closes_is_hurried_to_once() {
    let log = Log::default();
    let seen = log.clone();
    let server = Server::start(move |mut peer| {
        peer.packet().unwrap();
        peer.0.sock.set_read_timeout(Some(EARLY)).unwrap();
        let early = std::iter::from_fn(|| peer.packet()).map(|(kind, _)| kind).collect();
        seen.lock().unwrap().push(Seen { early, ..Seen::default() });
    });
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 1).await.unwrap();
    let config = at_home(&cloud, &server, directory.path());
    let mut agent = Agent::start_with(config, Some(&mild_chip()), None, fast());
    let later = |event: &&Event| matches!(event, Event::ConnectLater { .. });
    agent.wait_until("attempts", |events| events.iter().filter(later).count() >= 5).await;
    let attempts = agent.events().iter().filter(later).count();
    let early: Vec<bool> = log.lock().unwrap().iter().map(|seen| !seen.early.is_empty()).take(5).collect();
    assert_eq!(early, [true, false, true, false, true], "at once, and from then on in turn");
    assert!(log.lock().unwrap().len() <= attempts + 2, "{}", agent.story());
    agent.stop().await;
}

/// Whatever a server says of a device, it says it to one that did not wait for it, too.
#[tokio::test]
async fn a_refusal_is_heard_though_packets_have_followed_connect() {
    for (code, kind, why) in [
        (2, LinkErrorKind::Identity, "the server does not accept the client ID (CONNACK 2)"),
        (3, LinkErrorKind::Answered, "the server is unavailable (CONNACK 3)"),
        (4, LinkErrorKind::Identity, "the server does not accept this device (CONNACK 4, bad user name)"),
        (5, LinkErrorKind::Identity, "the server does not accept this device (CONNACK 5, not authorized)"),
    ] {
        let server = Server::start(move |mut peer| {
            peer.packet().unwrap();
            peer.say(&[0x20, 2, 0, code]);
        });
        let mut options = server.options(100);
        options.timing = Timing::default();
        let mut link = Link::<()>::open(&mut Dialer::default(), &options).await.unwrap();
        link.subscribe(["a".into()]).unwrap();
        link.publish(Publish { topic: "a".into(), payload: vec![0; 300] }, Some(())).unwrap();
        let error = timeout(PATIENCE, link.next()).await.unwrap().unwrap_err();
        let place = format!("localhost:{}: ", server.port);
        assert_eq!((error.kind, error.why.strip_prefix(&place)), (kind, Some(why)));
        assert!(!link.is_minded());
    }
}
