//! The listening task on emulated lines, in tokio's own time: hours of outages take no time here.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use common::{Log, row};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, interval, sleep, timeout};
use tracker_sensors::gps::{
    ByteSource, ByteStream, GpsState, Opening, PlausibilitySettings, Position, Receiver, ReceiverSettings,
};
use tracker_sensors::health::{Health, State};
use tracker_sensors::simulated::{AtEnd, ColdClock, GpsReceiver, GpsReceiverSettings, Replay, Situation};

fn settings() -> ReceiverSettings {
    built_on(NaiveDate::from_ymd_opt(2025, 1, 1))
}

/// For recordings: dates are taken as they were sent.
fn as_recorded() -> ReceiverSettings {
    built_on(None)
}

fn built_on(build_date: Option<NaiveDate>) -> ReceiverSettings {
    ReceiverSettings::new(PlausibilitySettings { build_date, time_scale: 1.0 }, Instant::now())
}

fn listen(
    source: impl ByteSource + 'static,
    settings: ReceiverSettings,
) -> (watch::Receiver<GpsState>, watch::Receiver<Health>) {
    let receiver = Receiver::new(source, settings);
    let ends = (receiver.state(), receiver.health());
    tokio::spawn(receiver.run());
    ends
}

/// In the test's own time, so it costs nothing to be patient.
async fn until<T>(end: &mut watch::Receiver<T>, what: &str, is_so: impl FnMut(&T) -> bool) {
    timeout(Duration::from_hours(1), end.wait_for(is_so)).await.expect(what).expect("the task lives");
}

fn situation(
    started: Instant,
    is_visible: impl Fn(Duration) -> bool + Send + 'static,
) -> impl FnMut() -> Situation {
    let start: DateTime<Utc> = "2026-02-28T23:59:50Z".parse().unwrap();
    move || {
        let elapsed = started.elapsed();
        Situation {
            utc: start + elapsed,
            position: Position { latitude: -36.5, longitude: 179.9999 },
            altitude_m: 21.0,
            speed_kn: 14.0,
            course_deg: Some(91.5),
            sky_visible: is_visible(elapsed),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cold_receiver_gives_fixes_and_then_time() {
    let started = Instant::now();
    for cold_clock in [ColdClock::Empty, ColdClock::Year1980] {
        let emulated =
            GpsReceiverSettings { cold_start_epochs: 8, cold_clock, ..GpsReceiverSettings::default() };
        let source = GpsReceiver::new(situation(started, |_| true), emulated);
        let (mut state, mut health) = listen(source, settings());
        until(&mut health, "no fix yet", |health| health.state == State::Degraded).await;
        assert!(health.borrow().cause.as_ref().unwrap().contains("has no fix"));
        assert_eq!(state.borrow().time, None, "time before the first fix cannot be trusted");
        until(&mut health, "a fix", |health| health.state == State::Ok).await;
        assert_eq!(state.borrow().counts.epochs_without_fix, 8);
        until(&mut state, "a trusted time", |state| state.time.is_some()).await;
        let GpsState { fix, time, counts } = state.borrow().clone();
        let (fix, time) = (fix.unwrap(), time.unwrap());
        assert_eq!(counts.lines.bad_checksum, 0);
        assert!((fix.position.latitude + 36.5).abs() < 0.001);
        assert!((fix.position.longitude.abs() - 180.0).abs() < 0.001);
        assert!((fix.speed_kn.unwrap() - 14.0).abs() < 0.2);
        assert_eq!(fix.course_deg, Some(91.5));
        assert_eq!(fix.source(), "GGA+RMC+GLL");
        let truth = "2026-02-28T23:59:50Z".parse::<DateTime<Utc>>().unwrap() + (started.elapsed());
        let late = truth.signed_duration_since(time.utc).as_seconds_f64();
        assert!((0.0..1.5).contains(&late), "{late}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fix_ages_when_the_sky_is_lost_and_comes_back() {
    let started = Instant::now();
    let tunnel = Duration::from_mins(1)..Duration::from_mins(2);
    let source = GpsReceiver::new(
        situation(started, move |now| !tunnel.contains(&now)),
        GpsReceiverSettings::default(),
    );
    let (mut state, mut health) = listen(source, settings());
    until(&mut state, "a fix", |state| state.fix.is_some()).await;
    until(&mut state, "the fix withdrawn", |state| state.fix.is_none()).await;
    let withdrawn = started.elapsed().as_secs_f64();
    assert!((68.0..72.0).contains(&withdrawn), "ten seconds after the last fix, not at {withdrawn}");
    until(&mut health, "degraded", |health| health.state == State::Degraded).await;
    until(&mut state, "the fix back", |state| state.fix.is_some()).await;
    assert!(started.elapsed() >= Duration::from_mins(2));
    until(&mut health, "well again", |health| health.state == State::Ok).await;
}

#[tokio::test(start_paused = true)]
async fn noise_on_the_line_costs_sentences_and_nothing_else() {
    let emulated = GpsReceiverSettings { noise: 0.003, seed: 7, ..GpsReceiverSettings::default() };
    let source = GpsReceiver::new(situation(Instant::now(), |_| true), emulated);
    let (mut state, _health) = listen(source, settings());
    until(&mut state, "many fixes", |state| {
        if let Some(fix) = &state.fix {
            assert!((fix.position.latitude + 36.5).abs() < 0.01, "{fix:?}");
        }
        state.counts.fixes >= 200
    })
    .await;
    assert!(state.borrow().counts.lines.bad_checksum > 50, "the noise was real");
}

#[tokio::test(start_paused = true)]
async fn a_replay_gives_the_fixes_of_its_log_one_a_second() {
    for name in ["neo-m8n", "nbp1406-seap", "humminbird-M37", "syn-santos-outage", "ublox8-uniqid-monhw"] {
        let log = Log::named(name);
        let started = Instant::now();
        let source = Replay::new(name, &log.bytes, Duration::from_secs(1), AtEnd::FallSilent);
        let (mut state, mut health) = listen(source, as_recorded());
        let expected = log.expected_rows();
        let mut received = Vec::new();
        let mut last = None;
        while received.len() < expected.len() {
            until(&mut state, name, |state| state.fix.is_some() && state.fix != last).await;
            last.clone_from(&state.borrow().fix);
            received.push(row(last.as_ref().unwrap()));
        }
        assert_eq!(received, expected, "{name}");
        let seconds = started.elapsed().as_secs() as usize;
        assert!(seconds + 2 >= expected.len(), "{name} took only {seconds} s");
        until(&mut health, "silence", |health| health.state == State::Failed).await;
        assert!(health.borrow().cause.as_ref().unwrap().contains("no byte from recording"), "{health:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_looping_replay_goes_on() {
    let log = Log::named("neo-m8n");
    let source = Replay::new("neo-m8n", &log.bytes, Duration::from_millis(100), AtEnd::Loop);
    let (mut state, _health) = listen(source, settings());
    until(&mut state, "three rounds", |state| state.counts.fixes >= 3 * 24).await;
}

/// A line that does what it is told.
enum Trick {
    Refuse,
    Hang,
    Close(Vec<u8>),
    Break(Vec<u8>),
    Garbage(Interval),
    Silence,
}

struct Tricks(Vec<Trick>);

impl ByteSource for Tricks {
    fn open(&mut self) -> Opening<'_> {
        let trick = if self.0.is_empty() { Trick::Refuse } else { self.0.remove(0) };
        match trick {
            Trick::Refuse => Box::pin(async { Err(io::Error::new(io::ErrorKind::NotFound, "gone")) }),
            Trick::Hang => Box::pin(std::future::pending()),
            trick => Box::pin(async move { Ok(Box::new(TrickStream(trick)) as ByteStream) }),
        }
    }

    fn name(&self) -> String {
        "/dev/ttyTEST".to_owned()
    }
}

struct TrickStream(Trick);

impl AsyncRead for TrickStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Trick::Break(bytes) if bytes.is_empty() => {
                Poll::Ready(Err(io::Error::other("Input/output error")))
            }
            Trick::Close(bytes) | Trick::Break(bytes) => {
                out.put_slice(bytes);
                bytes.clear();
                Poll::Ready(Ok(()))
            }
            Trick::Garbage(pace) => {
                ready!(pace.poll_tick(cx));
                out.put_slice(&[0xB5, 0xF8, 0x80, 0x1F, 0xE6, 0x9E]);
                Poll::Ready(Ok(()))
            }
            _ => Poll::Pending,
        }
    }
}

const SENTENCE: &[u8] = b"$GPGLL,4527.458,S,16709.165,E,225309,A*3E\r\n";

#[tokio::test(start_paused = true)]
async fn a_line_that_vanishes_is_opened_again_and_again() {
    let tricks = vec![
        Trick::Refuse,
        Trick::Refuse,
        Trick::Hang,
        Trick::Close(SENTENCE.to_vec()),
        Trick::Break(SENTENCE.to_vec()),
        Trick::Silence,
        Trick::Close(SENTENCE.to_vec()),
    ];
    let (mut state, mut health) = listen(Tricks(tricks), settings());
    for words in [
        "cannot open /dev/ttyTEST: gone",
        "cannot open /dev/ttyTEST: no answer within 10s",
        "/dev/ttyTEST was closed: unplugged?",
        "/dev/ttyTEST broke: Input/output error",
        "no byte from /dev/ttyTEST for 5 s: is the receiver powered, and its TX wired to our RX?",
        "/dev/ttyTEST is silent: opening it afresh",
        "/dev/ttyTEST was closed: unplugged?",
        "cannot open /dev/ttyTEST: gone",
    ] {
        until(&mut health, words, |health| {
            health.state == State::Failed
                && health.cause.as_deref().is_some_and(|cause| cause.contains(words))
        })
        .await;
    }
    assert_eq!(health.borrow().starts, 4);
    // The three sentences have the same time of day, so they are one epoch, interrupted twice.
    until(&mut state, "fixes", |state| state.counts.fixes == 3).await;
}

#[tokio::test(start_paused = true)]
async fn garbage_is_called_a_wrong_baud_rate() {
    let (_state, mut health) =
        listen(Tricks(vec![Trick::Garbage(interval(Duration::from_millis(10)))]), settings());
    until(&mut health, "garbage noticed", |health| health.state == State::Failed).await;
    let cause = health.borrow().cause.clone().unwrap();
    assert!(
        cause.starts_with("bytes but no checksummed sentence from /dev/ttyTEST: wrong baud rate?"),
        "{cause}"
    );
}

/// What a line says, in pieces with pauses before them, and nothing after.
struct Says(Vec<(Duration, Vec<u8>)>);

impl ByteSource for Says {
    fn open(&mut self) -> Opening<'_> {
        let pieces = std::mem::take(&mut self.0);
        let (mut says, hears) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            for (pause, bytes) in pieces {
                sleep(pause).await;
                tokio::io::AsyncWriteExt::write_all(&mut says, &bytes).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        Box::pin(async { Ok(Box::new(hears) as ByteStream) })
    }

    fn name(&self) -> String {
        "/dev/ttyTEST".to_owned()
    }

    fn other_reader(&self) -> Option<String> {
        Some("gpsd (process 7) reads ttyTEST too; stop it".to_owned())
    }
}

fn case(name: &str) -> Vec<u8> {
    std::fs::read(common::data("nmea/cases").join(format!("{name}.nmea"))).unwrap()
}

async fn cause_of(says: Says) -> (State, String) {
    let (_state, mut health) = listen(says, settings());
    until(&mut health, "a cause", |health| health.cause.is_some()).await;
    let health = health.borrow().clone();
    (health.state, health.cause.unwrap())
}

fn each_second(bytes: &[u8], times: usize) -> Says {
    Says(vec![(Duration::from_secs(1), bytes.to_vec()); times])
}

#[tokio::test(start_paused = true)]
async fn why_there_is_no_fix_is_told() {
    for (name, words) in [
        (
            "gga-quality-0-rmc-a",
            "the receiver contradicts itself, one sentence claims a fix and another denies it",
        ),
        ("cold-start-void-1980", "has no fix: does the antenna see the sky?"),
        ("dead-reckoning", "tells a position that it has not measured"),
    ] {
        let (state, cause) = cause_of(each_second(&case(name), 1)).await;
        assert!(state == State::Degraded && cause.contains(words), "{name}: {cause}");
    }
    let satellites = b"$GPGSV,1,1,00*79\r\n";
    let (state, cause) = cause_of(each_second(satellites, 100)).await;
    assert!(state == State::Degraded && cause.contains("switch on one of RMC, GGA, GNS, GLL"), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn sentences_without_a_checksum_are_no_wrong_baud_rate() {
    let (state, cause) = cause_of(each_second(&case("no-checksum"), 10)).await;
    let words = "sentences without a checksum from /dev/ttyTEST: ";
    assert!(state == State::Failed && cause.starts_with(words), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn another_reader_is_named_where_it_may_be_the_cause() {
    let (state, cause) = cause_of(Says(Vec::new())).await;
    assert_eq!(state, State::Failed);
    assert_eq!(cause, "no byte from /dev/ttyTEST for 15 s: gpsd (process 7) reads ttyTEST too; stop it");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_some_of_the_bytes_is_named() {
    let second = |n: usize| {
        let body = format!("GPGLL,4527.458,S,16709.165,E,22{:02}{:02},A", n / 60, n % 60);
        let checksum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        let sound = format!("${body}*{checksum:02X}\r\n");
        // The other reader got the middle of two more.
        let torn = format!("${}*{checksum:02X}\r\n", &body[..20]);
        let sent = if n < 120 { sound + &torn + &torn } else { sound };
        (Duration::from_secs(1), sent.into_bytes())
    };
    let (mut state, mut health) = listen(Says((0..200).map(second).collect()), settings());
    until(&mut health, "degraded", |health| health.state == State::Degraded).await;
    let cause = health.borrow().cause.clone().unwrap();
    assert_eq!(
        cause,
        "most sentences from /dev/ttyTEST have a wrong checksum: gpsd (process 7) reads ttyTEST too; stop it"
    );
    until(&mut state, "the fixes go on", |state| state.counts.fixes > 100).await;
    until(&mut health, "what was before is forgotten", |health| health.state == State::Ok).await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_speaks_seldom_is_as_well_as_any() {
    let fix = |n: usize| {
        let body = format!("GPGLL,4527.458,S,16709.165,E,22{:02}{:02},A", n * 12 / 60, n * 12 % 60);
        let checksum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("${body}*{checksum:02X}\r\n").into_bytes()
    };
    let seconds = (0..50).map(|n| (Duration::from_secs(12), fix(n))).collect();
    let started = Instant::now();
    let (mut state, mut health) = listen(Says(seconds), settings());
    until(&mut state, "a fix", |state| state.fix.is_some()).await;
    assert_eq!(health.borrow().cause, None);
    until(&mut health, "well", |health| health.state == State::Ok).await;
    while started.elapsed() < Duration::from_mins(10) {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(health.borrow().state, State::Ok, "after {:?}", started.elapsed());
        assert!(state.borrow().fix.is_some(), "after {:?}", started.elapsed());
    }
    until(&mut health, "silence is noticed all the same", |health| health.state == State::Failed).await;
    assert!(started.elapsed() < Duration::from_secs(650));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_before_the_first_epoch_can_have_ended() {
    let started = Instant::now();
    let (_state, mut health) = listen(each_second(SENTENCE, 1), settings());
    let first = timeout(Duration::from_secs(3), health.changed()).await;
    assert!(first.is_ok() && started.elapsed() > Duration::from_secs(1));
    assert_eq!((health.borrow().state, &health.borrow().cause), (State::Ok, &None));
}

#[tokio::test(start_paused = true)]
async fn a_date_that_cannot_be_is_told_while_the_position_goes_on() {
    let fix = |second: usize| {
        let body = format!("GPRMC,1200{second:02},A,4807.038,N,01131.324,E,,,060180,,,A");
        let checksum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        (Duration::from_secs(1), format!("${body}*{checksum:02X}\r\n").into_bytes())
    };
    let (mut state, mut health) = listen(Says((0..9).map(fix).collect()), settings());
    until(&mut health, "degraded", |health| health.state == State::Degraded).await;
    let cause = health.borrow().cause.clone().unwrap();
    assert!(
        cause.starts_with("the receiver says that it is 1980-01-06, before this program was built"),
        "{cause}"
    );
    until(&mut state, "fixes", |state| state.counts.fixes > 5).await;
    assert!(state.borrow().time.is_none() && state.borrow().fix.is_some());
}

#[tokio::test(start_paused = true)]
async fn dropping_the_task_closes_the_line() {
    struct Watched(watch::Sender<bool>);
    impl Drop for Watched {
        fn drop(&mut self) {
            self.0.send_replace(true);
        }
    }
    impl AsyncRead for Watched {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }
    struct Once(Option<Watched>);
    impl ByteSource for Once {
        fn open(&mut self) -> Opening<'_> {
            let stream = self.0.take().expect("opened once");
            Box::pin(async { Ok(Box::new(stream) as ByteStream) })
        }
        fn name(&self) -> String {
            "watched".to_owned()
        }
    }
    let closed = watch::Sender::new(false);
    let mut is_closed = closed.subscribe();
    let task = tokio::spawn(Receiver::new(Once(Some(Watched(closed))), settings()).run());
    sleep(Duration::from_millis(1)).await;
    assert!(!*is_closed.borrow());
    task.abort();
    until(&mut is_closed, "the line closed", |closed| *closed).await;
}
