//! Two hundred devices that flap, and a reader of what they send: for the consumers of other languages beside it.
//!
//! ```text
//! cargo run --profile bench -p tracker-emulator --example endpoint_load -- LAB_DIRECTORY [ADDRESS [AMQP_PORT [MESSAGES [DEVICES]]]]
//! ```
//!
//! Prints a line of JSON with the connection strings and waits for a line of input; then every device sends its share, numbered,
//! and loses its connection now and then, in the middle of what is under way. What was not acknowledged is sent again: a device's
//! numbers come at least once, the first of each in order. A reader of our own reads along, and once more from the start when all
//! is sent. Both count what is missing and what is out of order. Prints another line of JSON, and stops when its input ends.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    env,
    error::Error,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Buf as _, BytesMut};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use rumqttc::{
    Connect, Publish, QoS,
    mqttbytes::v4::{Login, Packet},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    sync::Notify,
    task::JoinSet,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tracker_amqp::{Attach, Connection, Event, Limits, LinkId, Open, SaslClient, Source, Target, Value};
use tracker_emulator::{Authentication, DeviceCapabilities, Emulator, EmulatorOptions, SymmetricKey};

type Failure = Box<dyn Error + Send + Sync>;

const HUB: &str = "hub-1.azure-devices.net";
/// Publishes of a device that are not acknowledged yet.
const WINDOW: usize = 16;
/// A device loses its connection after about so many messages.
const FLAP: u64 = 150;
/// The end of 2096.
const FAR: u64 = 4_000_000_000;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let directory = arguments.next().ok_or("the lab directory is missing")?;
    let address: IpAddr = arguments.next().as_deref().unwrap_or("127.0.0.1").parse()?;
    let mut number = |usual: u64| arguments.next().map_or(Ok(usual), |text| text.parse());
    let (amqp_port, messages, devices) = (number(0)?, number(100_000)?, number(200)?.max(1));
    let emulator = Emulator::start(EmulatorOptions {
        listen_address: address,
        extra_server_names: vec![address.to_string()],
        port: 0,
        service_port: Some(0),
        amqp_port: Some(u16::try_from(amqp_port)?),
        ca_directory: Some(directory.into()),
        ..EmulatorOptions::default()
    })
    .await?;
    let each = messages / devices;
    let line = json!({
        "address": address,
        "amqpPort": emulator.amqp_address().map(|address| address.port()),
        "connectionStrings": emulator.connection_strings(),
        "messages": each * devices,
        "devices": devices,
    });
    println!("{line}");
    let mut input = BufReader::new(tokio::io::stdin());
    input.read_line(&mut String::new()).await?;

    let tls = tls(&emulator)?;
    let reading = Reading::new(&emulator, &tls, each, devices);
    let attached = Arc::clone(&reading.attached);
    let live = tokio::spawn(read_all(reading));
    // The handshakes of all devices would leave it waiting.
    tokio::time::timeout(Duration::from_mins(1), attached.notified()).await?;
    let begun = Instant::now();
    let flaps = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    for index in 0..devices {
        let device = Device::new(&emulator, &tls, index, each, Arc::clone(&flaps))?;
        running.spawn(device.run());
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    let sent = begun.elapsed();
    let live = live.await??;
    let history = read_all(Reading::new(&emulator, &tls, each, devices)).await?;
    let rate = |elapsed: Duration| ((each * devices) as f64 / elapsed.as_secs_f64()).round();
    let line = json!({
        "intakePerSecond": rate(sent),
        "flaps": flaps.load(Ordering::Relaxed),
        "live": live.report(begun),
        "history": history.report(history.begun),
    });
    println!("{line}");
    input.read_line(&mut String::new()).await?;
    emulator.shutdown().await;
    Ok(())
}

fn tls(emulator: &Emulator) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    for ca in CertificateDer::pem_slice_iter(emulator.server_ca_pem().as_bytes()) {
        roots.add(ca?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn connect(tls: &TlsConnector, address: SocketAddr) -> Result<TlsStream<TcpStream>, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(tls.connect(ServerName::try_from("localhost")?, stream).await?)
}

fn token(resource: &str, key: &[u8], policy: Option<&str>) -> String {
    let resource = utf8_percent_encode(resource, NON_ALPHANUMERIC).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let signature = STANDARD.encode(hmac::sign(&key, format!("{resource}\n{FAR}").as_bytes()));
    let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
    let policy = policy.map(|name| format!("&skn={name}")).unwrap_or_default();
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={FAR}{policy}")
}

/// One device.
struct Device {
    tls: TlsConnector,
    address: SocketAddr,
    id: String,
    password: String,
    messages: u64,
    flaps: Arc<AtomicU64>,
    /// For chance that is the same in every run.
    state: u64,
}

impl Device {
    fn new(
        emulator: &Emulator,
        tls: &TlsConnector,
        index: u64,
        messages: u64,
        flaps: Arc<AtomicU64>,
    ) -> Result<Self, Failure> {
        let id = format!("flapping-{index:03}");
        let key = [7; 32];
        let hub = emulator.hub("hub-1").ok_or("no hub")?;
        let keys = SymmetricKey { primary_key: Some(STANDARD.encode(key)), ..SymmetricKey::default() };
        hub.create_device(&id, Authentication::sas(keys), DeviceCapabilities::default())?;
        let password = token(&format!("{HUB}/devices/{id}"), &key, None);
        let state = index * 2 + 1;
        Ok(Self { tls: tls.clone(), address: emulator.address(), id, password, messages, flaps, state })
    }

    fn chance(&mut self) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state >> 33
    }

    async fn run(mut self) -> Result<(), Failure> {
        let mut acknowledged = 0;
        while acknowledged < self.messages {
            let lives_until = acknowledged + FLAP / 2 + self.chance() % FLAP;
            acknowledged = self.live(acknowledged, lives_until).await?;
            if acknowledged < self.messages {
                self.flaps.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// One connection: sends from this message on, and drops everything after `until`. Gives how far the hub has acknowledged.
    async fn live(&self, mut acknowledged: u64, until: u64) -> Result<u64, Failure> {
        let mut stream = connect(&self.tls, self.address).await?;
        let (mut output, mut input) = (BytesMut::new(), BytesMut::new());
        let mut hello = Connect::new(&self.id);
        hello.keep_alive = 60;
        let user = format!("{HUB}/{}/?api-version=2021-04-12", self.id);
        hello.login = Some(Login::new(user, self.password.clone()));
        hello.write(&mut output)?;
        stream.write_all(&output).await?;
        let topic = format!("devices/{}/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8", self.id);
        let (mut next, mut under_way) = (acknowledged, VecDeque::new());
        let mut is_open = false;
        loop {
            output.clear();
            while is_open && next < self.messages && under_way.len() < WINDOW {
                let body = format!("{{\"device\":\"{}\",\"n\":{next},\"temperature\":4.25}}", self.id);
                let mut publish = Publish::new(&topic, QoS::AtLeastOnce, body);
                publish.pkid = u16::try_from(next % 60_000)? + 1;
                publish.write(&mut output)?;
                under_way.push_back(publish.pkid);
                next += 1;
            }
            stream.write_all(&output).await?;
            if acknowledged >= self.messages || (next >= until && next < self.messages) {
                return Ok(acknowledged);
            }
            if stream.read_buf(&mut input).await? == 0 {
                return Ok(acknowledged);
            }
            loop {
                match Packet::read(&mut input, 1024 * 1024) {
                    Ok(Packet::ConnAck(_)) => is_open = true,
                    Ok(Packet::PubAck(ack)) if under_way.front() == Some(&ack.pkid) => {
                        under_way.pop_front();
                        acknowledged += 1;
                    }
                    Ok(_) => return Err("an answer that nobody has asked for".into()),
                    Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

/// What a reader has to know.
struct Reading {
    tls: TlsConnector,
    address: SocketAddr,
    key: String,
    /// Told when it reads.
    attached: Arc<Notify>,
    each: u64,
    devices: u64,
}

impl Reading {
    fn new(emulator: &Emulator, tls: &TlsConnector, each: u64, devices: u64) -> Self {
        let strings = emulator.connection_strings();
        let string = strings.iter().find(|string| string.named.starts_with("Endpoint=sb://iothub-ns-hub-1"));
        let part = |text: &str| Some(text.strip_prefix("SharedAccessKey=")?.to_owned());
        let key = string.and_then(|string| string.named.split(';').find_map(part)).unwrap_or_default();
        let address = emulator.amqp_address().unwrap_or_else(|| emulator.address());
        Self { tls: tls.clone(), address, key, attached: Arc::default(), each, devices }
    }
}

/// What a reader has seen.
struct Seen {
    begun: Instant,
    ended: Instant,
    next: BTreeMap<String, u64>,
    read: u64,
    repeated: u64,
    out_of_order: u64,
    wanted: u64,
}

impl Seen {
    fn take(&mut self, body: &[u8]) -> Result<(), Failure> {
        let body: serde_json::Value = serde_json::from_slice(body)?;
        let (device, number) = (body["device"].as_str(), body["n"].as_u64());
        let (device, number) = device.zip(number).ok_or("a message of somebody else")?;
        let next = match self.next.get_mut(device) {
            Some(next) => next,
            None => self.next.entry(device.to_owned()).or_default(),
        };
        self.read += 1;
        match number.cmp(next) {
            std::cmp::Ordering::Equal => *next += 1,
            std::cmp::Ordering::Less => self.repeated += 1,
            std::cmp::Ordering::Greater => self.out_of_order += 1,
        }
        Ok(())
    }

    fn distinct(&self) -> u64 {
        self.next.values().sum()
    }

    fn report(&self, begun: Instant) -> serde_json::Value {
        let seconds = self.ended.duration_since(begun).as_secs_f64();
        json!({
            "perSecond": (self.read as f64 / seconds).round(),
            "missing": self.wanted - self.distinct(),
            "outOfOrder": self.out_of_order,
            "repeated": self.repeated,
        })
    }
}

/// Reads all partitions from the start until everything was there.
async fn read_all(reading: Reading) -> Result<Seen, Failure> {
    let mut stream = connect(&reading.tls, reading.address).await?;
    let open = Open { hostname: Some("localhost".into()), ..Open::new("our own reader") };
    let sasl = SaslClient::Plain { user: "service".into(), password: reading.key.clone() };
    let mut connection = Connection::client(open, Some(sasl), Limits::default(), Instant::now());
    let mut links: HashMap<LinkId, u32> = HashMap::new();
    let begun = Instant::now();
    let wanted = reading.each * reading.devices;
    let mut seen =
        Seen { begun, ended: begun, next: BTreeMap::new(), read: 0, repeated: 0, out_of_order: 0, wanted };
    let mut buffer = vec![0; 64 * 1024];
    let ask = |connection: &mut Connection, links: &mut HashMap<LinkId, u32>| -> Result<(), Failure> {
        let session = connection.begin()?;
        for partition in 0..4 {
            let link = connection.attach(session, reader_of(partition))?;
            links.insert(link, 0);
        }
        Ok(())
    };
    while seen.distinct() < wanted && seen.out_of_order == 0 {
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Opened(_) => ask(&mut connection, &mut links)?,
                Event::AttachAnswered { link, .. } => {
                    connection.add_credit(link, 1000);
                    reading.attached.notify_one();
                }
                Event::Message { link, message, .. } => {
                    seen.take(&message.body.to_bytes().unwrap_or_default())?;
                    let used = links.entry(link).or_default();
                    *used += 1;
                    if *used == 500 {
                        *used = 0;
                        connection.add_credit(link, 500);
                    }
                }
                Event::Detached { error, .. } | Event::Closed(error) => {
                    return Err(format!("sent away: {error:?}").into());
                }
                _ => {}
            }
        }
        while !connection.output().is_empty() {
            let count = stream.write(connection.output()).await?;
            connection.output().advance(count);
        }
        stream.flush().await?;
        if seen.distinct() >= wanted {
            break;
        }
        let count = tokio::time::timeout(Duration::from_mins(1), stream.read(&mut buffer)).await??;
        if count == 0 {
            return Err("the endpoint closed the stream".into());
        }
        connection.pass_time(Instant::now())?;
        connection.input(buffer.get(..count).unwrap_or_default())?;
    }
    seen.ended = Instant::now();
    Ok(seen)
}

/// Asks for all events of a partition.
fn reader_of(partition: usize) -> Attach {
    let address = format!("hub-1/ConsumerGroups/$Default/Partitions/{partition}");
    let name = "apache.org:selector-filter:string";
    let filter = Value::described(Value::symbol(name), "amqp.annotation.x-opt-offset > '-1'".into());
    let source = Source { filter: vec![(Value::symbol(name), filter)], ..Source::at(address.clone()) };
    Attach::receiver(address, source, Target::at("here"))
}
