//! What comes from the GPS receiver, when somebody listens to its port for some seconds.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout};
use tracker_sensors::gps::{
    ByteSource, Counts, DateRefused, Decoder, Event, Fix, Judgement, Known, NoFix, Plausibility,
    PlausibilitySettings, SerialSource,
};

use super::asked::asked;
use super::finding::Finding;
use crate::instruments::gps::GpsConfig;
use crate::platform::clock::{Clock, build_date};

/// A receiver says something every second.
const LISTEN: Duration = Duration::from_secs(3);
/// One that saves power says something every ten seconds: silence means something after so long.
const PATIENCE: Duration = Duration::from_secs(12);
/// So long a receiver speaks at the most.
const TO_SAY_IT: Duration = Duration::from_millis(1300);
/// At other speeds one sentence is enough.
const LISTEN_FOR_SPEED: Duration = TO_SAY_IT;
/// How often what has come is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// What receivers are set to.
const SPEEDS: [u32; 5] = [9600, 38_400, 115_200, 4800, 57_600];

/// What came of listening.
#[derive(Debug)]
pub(super) struct Hearing {
    /// How it stands with port and speed.
    pub(super) finding: Finding,
    /// What was heard, if it was understood.
    pub(super) heard: Option<Heard>,
}

/// What came from the receiver.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    counts: Counts,
    /// The last plausible one.
    pub(super) fix: Option<Fix>,
    /// Why the last epoch was none.
    pub(super) no_fix: Option<NoFix>,
    /// The date of the last fix, if it can't be.
    pub(super) refused_date: Option<DateRefused>,
}

impl Hearing {
    fn nothing(finding: Finding) -> Self {
        Self { finding, heard: None }
    }

    /// Listens to the port of the configuration. The clock learns the time from a fix.
    pub(super) fn listen(config: &GpsConfig, clock: Arc<dyn Clock>, known: &Known) -> Self {
        let open = |baud| Box::new(SerialSource::new(&config.port, baud)) as Box<dyn ByteSource>;
        asked(listen_at(open, config.baud, clock, known)).unwrap_or_else(Self::nothing)
    }
}

/// Listens at the configured speed, and when only garbage comes, at the others.
async fn listen_at(
    mut open: impl FnMut(u32) -> Box<dyn ByteSource>,
    baud: u32,
    clock: Arc<dyn Clock>,
    known: &Known,
) -> Hearing {
    let mut source = open(baud);
    let name = source.name();
    let heard = match listen(&mut *source, LISTEN, PATIENCE, &*clock, known).await {
        Ok(heard) => heard,
        Err(error) => return Hearing::nothing(Finding::error(format!("cannot open {name}: {error}"))),
    };
    // Who reads as well takes some of the bytes, which looks like any of what follows.
    let other = source.other_reader();
    drop(source);
    let lines = heard.counts.lines;
    if lines.sentences > 0 {
        let text = format!("{name}: {} sentences in {} s", lines.sentences, LISTEN.as_secs());
        if lines.bad_checksum > lines.sentences {
            let text = format!("{text}, but {} with a wrong checksum", lines.bad_checksum);
            let mend = other.unwrap_or_else(|| "check ground and cable of the receiver".into());
            let finding = Finding::warn(text, mend);
            return Hearing { finding, heard: Some(heard) };
        }
        return Hearing { finding: Finding::pass(text), heard: Some(heard) };
    }
    if lines.bytes == 0 {
        let wiring = "is the receiver powered, and its TX wired to our RX? see docs/raspberry-pi.md";
        let text = format!("no byte from {name} in {} s", PATIENCE.as_secs());
        return Hearing::nothing(Finding::fail(text, other.unwrap_or_else(|| wiring.into())));
    }
    if lines.without_checksum > 0 {
        let text = format!("{} sentences without a checksum from {name}", lines.without_checksum);
        let mend = "what the line does to them can't be seen, so none is used; switch the checksums on at the receiver";
        return Hearing::nothing(Finding::fail(text, mend));
    }
    let text = format!("{} bytes from {name} in {} s, but no NMEA sentence", lines.bytes, LISTEN.as_secs());
    for other in SPEEDS.into_iter().filter(|speed| *speed != baud) {
        let found = listen(&mut *open(other), LISTEN_FOR_SPEED, LISTEN_FOR_SPEED, &*clock, known).await;
        if found.is_ok_and(|heard| heard.counts.lines.sentences > 0) {
            let mend = format!("it speaks NMEA at {other} baud: set sensors.gps.baud = {other}");
            return Hearing::nothing(Finding::fail(text, mend));
        }
    }
    let none = "none at the other usual speeds either: is it a GPS receiver, and set to NMEA?";
    let mend = other.unwrap_or_else(|| none.into());
    Hearing::nothing(Finding::fail(text, mend))
}

/// What comes from `source` for so long, or for as long as `patience` where nothing does. The clock learns the time from a
/// fix.
async fn listen(
    source: &mut dyn ByteSource,
    length: Duration,
    patience: Duration,
    clock: &dyn Clock,
    known: &Known,
) -> std::io::Result<Heard> {
    let mut stream = source.open().await?;
    let (start, mut buffer) = (Instant::now(), [0; 1024]);
    let (mut decoder, mut heard) = (Decoder::new(), Heard::default());
    let settings = PlausibilitySettings { build_date: Some(build_date().date_naive()), time_scale: 1.0 };
    let mut plausibility = Plausibility::new(settings).knowing(known.clone());
    let mut take = |events: Vec<Event>| {
        for event in events {
            let fix = match event {
                Event::Fix(fix) => fix,
                Event::NoFix { reason, .. } => {
                    heard.no_fix = Some(reason);
                    plausibility.no_fix();
                    continue;
                }
            };
            let (judgement, time) = plausibility.judge(fix);
            heard.refused_date = plausibility.refused_date().cloned();
            if let Some(time) = time {
                let age = start.elapsed().saturating_sub(time.at);
                clock.learn(time.utc, clock.monotonic().saturating_sub(age));
            }
            if let Judgement::Plausible(fix) = judgement {
                heard.fix = Some(fix);
            }
        }
    };
    let look = source.look();
    let mut until = patience;
    while start.elapsed() < until {
        // A line that rests between reads would tell only part of what it has heard.
        look.notify_one();
        let Ok(read) = timeout(LOOK, stream.read(&mut buffer)).await else { continue };
        let read = read?;
        if read == 0 {
            break;
        }
        if decoder.counts().lines.bytes == 0 {
            // One that speaks seldom says all that it has to say at once.
            until = length.max(start.elapsed() + TO_SAY_IT);
        }
        take(decoder.push(&buffer[..read], start.elapsed()));
    }
    take(decoder.finish());
    heard.counts = decoder.counts();
    Ok(heard)
}

#[cfg(test)]
mod tests {
    use tracker_sensors::gps::Opening;

    use super::super::finding::Verdict;
    use super::*;
    use crate::platform::clock::SystemClock;

    /// A receiver at 38400 baud: at any other speed it can't be understood.
    struct Receiver {
        baud: u32,
        speaks_at: Option<u32>,
        says: Option<tokio::io::DuplexStream>,
    }

    impl ByteSource for Receiver {
        fn open(&mut self) -> Opening<'_> {
            let sentence = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n";
            let (mut says, hears) = tokio::io::duplex(4096);
            let understood = self.speaks_at == Some(self.baud);
            let bytes = if understood { sentence.to_vec() } else { vec![0x9f; 300] };
            self.says = None;
            let silent = self.speaks_at.is_none();
            Box::pin(async move {
                if !silent {
                    tokio::io::AsyncWriteExt::write_all(&mut says, &bytes).await?;
                }
                self.says = Some(says);
                Ok(Box::new(hears) as _)
            })
        }

        fn name(&self) -> String {
            format!("/dev/test at {} baud", self.baud)
        }
    }

    /// One that says its sentences every ten seconds.
    struct Seldom;

    impl ByteSource for Seldom {
        fn open(&mut self) -> Opening<'_> {
            let (mut says, hears) = tokio::io::duplex(4096);
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_secs(10)).await;
                    let sentence = b"$GPGGA,123519,4807.038,N,01131.000,E,0,08,0.9,545.4,M,46.9,M,,*46\r\n\
                                     $GPRMC,123519,A,4807.038,N,01131.000,E,1.0,84.4,230394,,*24\r\n";
                    let _ = tokio::io::AsyncWriteExt::write_all(&mut says, sentence).await;
                }
            });
            Box::pin(async { Ok(Box::new(hears) as _) })
        }

        fn name(&self) -> String {
            "/dev/test".into()
        }

        fn other_reader(&self) -> Option<String> {
            Some("gpsd (process 7) reads ttyTEST too; stop it".into())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_speaks_seldom_is_heard_and_its_contradiction_told() {
        let known: Known = Arc::new(tracker_sensors::gps::KnownDates::default);
        let open = |_| Box::new(Seldom) as Box<dyn ByteSource>;
        let Hearing { finding, heard } =
            listen_at(open, 9600, Arc::new(SystemClock::new(true)), &known).await;
        assert_eq!((finding.verdict, &*finding.text), (Verdict::Pass, "/dev/test: 2 sentences in 3 s"));
        assert_eq!(heard.and_then(|heard| heard.no_fix), Some(NoFix::Contradictory));
    }

    async fn look_at(baud: u32, speaks_at: Option<u32>) -> Finding {
        let open = |baud| Box::new(Receiver { baud, speaks_at, says: None }) as Box<dyn ByteSource>;
        let known: Known = Arc::new(tracker_sensors::gps::KnownDates::default);
        listen_at(open, baud, Arc::new(SystemClock::new(true)), &known).await.finding
    }

    #[tokio::test(start_paused = true)]
    async fn the_right_speed_is_found() {
        let well = look_at(38_400, Some(38_400)).await;
        assert_eq!(
            (well.verdict, &*well.text),
            (Verdict::Pass, "/dev/test at 38400 baud: 1 sentences in 3 s")
        );
        let wrong = look_at(9600, Some(38_400)).await;
        assert_eq!(wrong.verdict, Verdict::Fail);
        assert_eq!(wrong.text, "300 bytes from /dev/test at 9600 baud in 3 s, but no NMEA sentence");
        assert_eq!(wrong.mend.unwrap(), "it speaks NMEA at 38400 baud: set sensors.gps.baud = 38400");
        let foreign = look_at(9600, Some(300)).await;
        assert!(foreign.mend.unwrap().starts_with("none at the other usual speeds either"));
        let silent = look_at(9600, None).await;
        assert_eq!(silent.text, "no byte from /dev/test at 9600 baud in 12 s");
    }
}
