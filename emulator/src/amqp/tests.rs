//! A connection over a pipe, with a place that has two nodes: one that takes messages, and one that never stops sending.

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Buf as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tracker_amqp::{
    Attach, Body, Connection, Error, Event, Limits, Message, Open, Outcome, SaslClient, Source, Target,
    condition,
};

use super::{Act, Asked, Guest, House, Node, Place, Reception, SignIn, SignedIn, Verdict, Visit, serve};
use crate::{
    clock::SystemClock,
    events::{DisconnectReason, EventBus, EventKind},
    lock::lock,
    subscription::Subscription,
};

/// Where is told how connections ended.
type Ends = Arc<Mutex<Vec<DisconnectReason>>>;

struct Porter(Ends);
struct Hall(Ends);
struct Taker;
struct Chatterer(u64);

impl Reception for Porter {
    fn mechanisms(&self, _visit: &Visit) -> Vec<&'static str> {
        vec!["ANONYMOUS", "EXTERNAL"]
    }

    fn sign_in(&mut self, _guest: &Guest, init: &SignIn<'_>) -> Result<SignedIn, String> {
        if init.mechanism == "ANONYMOUS" { Ok(SignedIn::Welcome) } else { Err("nobody known".into()) }
    }

    fn open(&mut self, guest: &Arc<Guest>, _open: &Open) -> Result<Box<dyn Place>, Error> {
        match guest.host_name() {
            Some("elsewhere") => Err(Error::new(condition::NOT_FOUND, "no such host.")),
            _ => Ok(Box::new(Hall(self.0.clone()))),
        }
    }
}

impl Place for Hall {
    fn name(&self) -> &'static str {
        "hall"
    }

    fn attach(&mut self, asked: &Asked<'_>) -> Result<Box<dyn Node>, Error> {
        match (asked.path, asked.is_sender) {
            ("take", true) => Ok(Box::new(Taker)),
            ("chatter", false) => Ok(Box::new(Chatterer(0))),
            (path, _) => Err(Error::new(condition::NOT_FOUND, format!("there is no '{path}' here."))),
        }
    }

    fn identity(&self) -> (String, Option<String>) {
        ("hall_0".into(), None)
    }

    fn ended(&mut self, reason: &DisconnectReason) {
        lock(&self.0).push(reason.clone());
    }
}

impl Node for Taker {
    fn window(&self) -> u32 {
        4
    }

    fn receive(&mut self, _number: u64, message: Message) -> Verdict {
        match message.body.to_bytes().as_deref() {
            Some(b"good") => Verdict::Now(Outcome::Accepted),
            Some(b"bad") => Verdict::Now(Outcome::Rejected(None)),
            _ => Verdict::Detach(Error::new(condition::INVALID_FIELD, "neither good nor bad.")),
        }
    }
}

impl Node for Chatterer {
    fn poll(&mut self, _context: &mut Context<'_>, credit: u32) -> Poll<Act> {
        if credit == 0 {
            return Poll::Pending;
        }
        self.0 += 1;
        let message = Message { body: Body::data(vec![7; 1000]), ..Message::default() };
        Poll::Ready(Act::Send { message: Box::new(message), settled: true, key: self.0 })
    }
}

/// What is at the other end of a client's pipe.
struct Served {
    task: JoinHandle<()>,
    events: Subscription<crate::events::Event>,
    shutdown: watch::Sender<bool>,
    ends: Ends,
}

fn served() -> (DuplexStream, Served) {
    served_through(4096)
}

/// Through a pipe that holds so many bytes.
fn served_through(pipe: usize) -> (DuplexStream, Served) {
    let (ours, theirs) = duplex(pipe);
    let bus = EventBus::new(100, Arc::new(SystemClock));
    let events = bus.subscribe();
    let (shutdown, receiver) = watch::channel(false);
    let ends = Ends::default();
    let visit = Visit { peer: "pipe".into(), server_name: None, certificates: Vec::new() };
    let house = House { clock: Arc::new(SystemClock), events: bus, shutdown: receiver };
    let task = tokio::spawn(serve(theirs, visit, Porter(ends.clone()), house));
    (ours, Served { task, events, shutdown, ends })
}

impl Served {
    /// Why the client was refused.
    fn refusal(&mut self) -> String {
        let event = self.events.try_next().expect("kept").expect("an event");
        match &event.kind {
            EventKind::ConnectionRefused { reason, .. } => reason.clone(),
            other => panic!("{other:?}"),
        }
    }
}

/// A client of our own engine.
struct Client {
    connection: Connection,
    stream: DuplexStream,
}

impl Client {
    fn new(stream: DuplexStream, host: &str, sasl: Option<SaslClient>) -> Self {
        let open = Open { hostname: Some(host.into()), ..Open::new("client") };
        let connection = Connection::client(open, sasl, Limits::default(), Instant::now().into_std());
        Self { connection, stream }
    }

    async fn flush(&mut self) {
        while !self.connection.output().is_empty() {
            let count = self.stream.write(self.connection.output()).await.expect("it takes bytes");
            self.connection.output().advance(count);
        }
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.connection.poll_event() {
                return Some(event);
            }
            self.flush().await;
            let mut buffer = [0; 1024];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                // What is wrong comes as an event.
                Ok(count) => drop(self.connection.input(&buffer[..count])),
            }
        }
    }

    async fn until<T>(&mut self, pick: impl Fn(Event) -> Option<T>) -> T {
        loop {
            let event = self.next().await.expect("more comes");
            if let Some(picked) = pick(event) {
                return picked;
            }
        }
    }
}

fn opened(event: Event) -> Option<Box<Open>> {
    match event {
        Event::Opened(open) => Some(open),
        _ => None,
    }
}

#[tokio::test]
async fn messages_get_their_outcomes_and_links_are_refused_with_a_reason() {
    let (stream, served) = served();
    let mut client = Client::new(stream, "here", Some(SaslClient::Anonymous));
    let open = client.until(opened).await;
    assert_eq!((open.container_id.as_str(), open.max_frame_size), ("hall_0", 65_536));
    let session = client.connection.begin().expect("a session");
    let taker = Attach::sender("a", Source::at("me"), Target::at("amqps://here/take"));
    let link = client.connection.attach(session, taker).expect("room");
    for round in 0..10 {
        while client.connection.may_send(link) == 0 {
            client.until(|event| matches!(event, Event::Credit { .. }).then_some(())).await;
        }
        let body = if round % 2 == 0 { "good" } else { "bad" };
        let message = Message { body: Body::data(body), ..Message::default() };
        client.connection.send(link, &message, false).expect("it has credit");
        let settled = |event| match event {
            Event::Settled { outcome, .. } => outcome,
            _ => None,
        };
        let outcome = client.until(settled).await;
        assert_eq!(outcome == Outcome::Accepted, round % 2 == 0);
    }
    let message = Message { body: Body::data("odd"), ..Message::default() };
    client.connection.send(link, &message, false).expect("it has credit");
    let detached = |event| match event {
        Event::Detached { error, .. } => error,
        _ => None,
    };
    assert_eq!(client.until(detached).await.condition, condition::INVALID_FIELD);

    for (attach, wanted) in [
        (Attach::receiver("b", Source::at("take"), Target::default()), condition::NOT_FOUND),
        (Attach::receiver("c", Source::default(), Target::default()), condition::NOT_FOUND),
    ] {
        client.connection.attach(session, attach).expect("room");
        let error = client.until(detached).await;
        assert_eq!(error.condition, wanted);
        assert!(error.description.is_some_and(|text| text.contains("TrackingId:")));
    }
    client.connection.close(None);
    client.until(|event| matches!(event, Event::Closed(None)).then_some(())).await;
    served.task.await.expect("no panic");
}

#[tokio::test]
async fn who_is_not_let_in_is_told_and_so_is_the_operator() {
    let (stream, mut refused) = served();
    let mut client = Client::new(stream, "here", Some(SaslClient::External));
    client.until(|event| matches!(event, Event::Closed(_)).then_some(())).await;
    refused.task.await.expect("no panic");
    let reason = "SASL EXTERNAL: nobody known";
    let event = refused.events.try_next().expect("kept").expect("an event");
    assert!(event.kind.to_string().contains(reason), "{}", event.kind);

    let (stream, served) = served();
    let mut client = Client::new(stream, "elsewhere", None);
    let closed = |event| match event {
        Event::Closed(error) => error,
        _ => None,
    };
    assert_eq!(client.until(closed).await.condition, condition::NOT_FOUND);
    served.task.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn who_dawdles_before_open_is_waited_out() {
    let dripped = [&b""[..], b"AMQP\0\x01", b"AMQP\0\x01\0\0\0\0\xff\0\x02\0\0\0", b"AMQP\x03\x01\0\0"];
    for bytes in dripped {
        let (mut stream, mut served) = served();
        let began = Instant::now();
        let drip = async {
            for byte in bytes {
                sleep(Duration::from_millis(700)).await;
                stream.write_all(&[*byte]).await.expect("it takes a byte");
            }
            stream
        };
        let (_stream, ended) = tokio::join!(drip, served.task);
        ended.expect("no panic");
        assert!(began.elapsed() >= Duration::from_secs(20) && began.elapsed() < Duration::from_secs(30));
        served.task = tokio::spawn(async {});
        assert!(!served.refusal().is_empty());
    }
}

#[tokio::test]
async fn who_speaks_no_amqp_or_breaks_it_is_cut_off() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"AMQP\0\x01\0\x09",
        // A frame of 2 GB; one that is none; one before Open.
        b"AMQP\0\x01\0\0\x7f\xff\xff\xff\x02\0\0\0",
        b"AMQP\0\x01\0\0\0\0\0\x01\x02\0\0\0",
        b"AMQP\0\x01\0\0\0\0\0\x0c\x02\0\0\0\0\x53\x11\x45",
    ] {
        let (mut stream, mut served) = served();
        stream.write_all(bytes).await.expect("it takes them");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("it ends");
        served.task.await.expect("no panic");
        served.task = tokio::spawn(async {});
        assert!(!served.refusal().is_empty());
    }
}

#[tokio::test]
async fn who_breaks_it_behind_open_is_told_to_have_done_so() {
    let (stream, served) = served();
    let mut client = Client::new(stream, "here", None);
    // In one go with Open: a frame that is shorter than its own head.
    client.connection.output().extend_from_slice(&[0, 0, 0, 1, 2, 0, 0, 0]);
    let closed = |event| match event {
        Event::Closed(error) => error,
        _ => None,
    };
    assert_eq!(client.until(closed).await.condition, condition::FRAMING_ERROR);
    served.task.await.expect("no panic");
    let ends = lock(&served.ends).clone();
    assert!(matches!(ends[..], [DisconnectReason::ProtocolViolation(_)]), "{ends:?}");
}

#[tokio::test(start_paused = true)]
async fn who_never_reads_is_dropped_and_who_reads_slowly_is_not() {
    for reads in [false, true] {
        let (stream, served) = served();
        let mut client = Client::new(stream, "here", None);
        client.until(opened).await;
        let session = client.connection.begin().expect("a session");
        let attach = Attach::receiver("a", Source::at("chatter"), Target::default());
        let link = client.connection.attach(session, attach).expect("room");
        client.until(|event| matches!(event, Event::AttachAnswered { .. }).then_some(())).await;
        client.connection.add_credit(link, 5000);
        client.flush().await;
        let began = Instant::now();
        if reads {
            for _ in 0..60 {
                sleep(Duration::from_secs(5)).await;
                for _ in 0..3 {
                    client.until(|event| matches!(event, Event::Message { .. }).then_some(())).await;
                }
            }
            served.shutdown.send(true).expect("it listens");
        }
        served.task.await.expect("no panic");
        let took = began.elapsed();
        if reads {
            assert!(took >= Duration::from_mins(5), "{took:?}");
        } else {
            assert!(took >= Duration::from_secs(20) && took < Duration::from_secs(40), "{took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_full_output_is_sent_without_waiting_for_the_clock() {
    const MESSAGES: u32 = 5_000;
    // Takes all that is put out at a time, so that there is room at once for what waits behind it.
    let (stream, served) = served_through(4 * 1024 * 1024);
    let mut client = Client::new(stream, "here", None);
    client.until(opened).await;
    let session = client.connection.begin().expect("a session");
    let mut links = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let attach = Attach::receiver(name, Source::at("chatter"), Target::default());
        links.push(client.connection.attach(session, attach).expect("room"));
        client.until(|event| matches!(event, Event::AttachAnswered { .. }).then_some(())).await;
    }
    for link in &links {
        client.connection.add_credit(*link, MESSAGES);
    }
    let began = Instant::now();
    for _ in 0..MESSAGES * 4 {
        client.until(|event| matches!(event, Event::Message { .. }).then_some(())).await;
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    served.shutdown.send(true).expect("it listens");
    served.task.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_is_said_and_waits_for_nobody() {
    let (stream, served) = served();
    let mut client = Client::new(stream, "here", None);
    client.until(opened).await;
    let (silent, quiet) = self::served();
    let began = Instant::now();
    for house in [&served, &quiet] {
        house.shutdown.send(true).expect("it listens");
    }
    let closed = |event| match event {
        Event::Closed(error) => error,
        _ => None,
    };
    assert_eq!(client.until(closed).await.condition, condition::CONNECTION_FORCED);
    served.task.await.expect("no panic");
    quiet.task.await.expect("no panic");
    drop(silent);
    assert!(began.elapsed() < Duration::from_secs(1));
}
