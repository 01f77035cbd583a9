//! A client of AMQP that does exactly what it is told, over TLS.

use std::{collections::VecDeque, time::Instant};

use bytes::Buf as _;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tracker_amqp::{
    Attach, Body, Connection, DeliveryId, Error, Event, Limits, LinkId, Message, Open, Outcome, Properties,
    SaslClient, SessionId, Source, Target, Value, get,
};
use tracker_emulator::{Emulator, pki::DeviceCredentials};

use super::{PATIENCE, tls};

/// A connection with one session.
pub struct Amqp {
    connection: Connection,
    stream: TlsStream<TcpStream>,
    session: SessionId,
    /// What happened and nobody has asked for yet.
    events: VecDeque<Event>,
}

impl Amqp {
    /// Connects to a service by its name; panics where it is not let in.
    pub async fn connect(
        emulator: &Emulator,
        host: &str,
        credentials: Option<&DeviceCredentials>,
        sasl: Option<SaslClient>,
    ) -> Self {
        Self::try_connect(emulator, host, credentials, sasl).await.expect("let in")
    }

    /// The same; `Err` is what the connection ended with.
    pub async fn try_connect(
        emulator: &Emulator,
        host: &str,
        credentials: Option<&DeviceCredentials>,
        sasl: Option<SaslClient>,
    ) -> Result<Self, String> {
        let address = emulator.amqp_address().expect("a port of AMQP");
        let stream = TcpStream::connect(("127.0.0.1", address.port())).await.expect("the port is open");
        let connector = TlsConnector::from(tls(emulator, credentials, rustls::DEFAULT_VERSIONS));
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = connector.connect(name, stream).await.expect("a handshake");
        Self::over(stream, host, sasl).await
    }

    /// The same over a stream that is there.
    pub async fn over(
        mut stream: TlsStream<TcpStream>,
        host: &str,
        sasl: Option<SaslClient>,
    ) -> Result<Self, String> {
        let open = Open { hostname: Some(host.to_owned()), ..Open::new("a test") };
        let mut connection = Connection::client(open, sasl, Limits::default(), Instant::now());
        let mut events = VecDeque::new();
        loop {
            match step(&mut connection, &mut stream).await? {
                Event::Opened(_) => break,
                Event::Closed(error) => return Err(format!("{error:?}")),
                other => events.push_back(other),
            }
        }
        let session = connection.begin().expect("a session");
        Ok(Self { connection, stream, session, events })
    }

    /// Waits for something that happened; what else happens is kept.
    async fn until<T>(&mut self, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        for place in 0..self.events.len() {
            if let Some(picked) = self.events.get(place).and_then(&mut pick) {
                self.events.remove(place);
                return picked;
            }
        }
        let wait = async {
            loop {
                let event = step(&mut self.connection, &mut self.stream).await.expect("still connected");
                if let Some(picked) = pick(&event) {
                    return picked;
                }
                self.events.push_back(event);
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("it happens in time")
    }

    /// Asks for a link; `Err` says why it is refused.
    pub async fn attach(&mut self, attach: Attach) -> Result<LinkId, Error> {
        let asked = self.connection.attach(self.session, attach).expect("room for a link");
        let answer = self
            .until(|event| match event {
                Event::AttachAnswered { link, attach } if *link == asked => Some(attach.clone()),
                _ => None,
            })
            .await;
        if answer.source.is_some() || answer.target.is_some() {
            return Ok(asked);
        }
        Err(self.detached(asked).await.expect("a reason"))
    }

    /// A link to send by.
    pub async fn sender(&mut self, address: &str, properties: &[(&str, &str)]) -> Result<LinkId, Error> {
        let attach = Attach::sender(format!("sender of {address}"), Source::at("here"), Target::at(address));
        self.attach(Attach { properties: symbols(properties), ..attach }).await
    }

    /// A link to receive by, with credit.
    pub async fn receiver(&mut self, address: &str, properties: &[(&str, &str)]) -> Result<LinkId, Error> {
        let attach =
            Attach::receiver(format!("receiver of {address}"), Source::at(address), Target::at("here"));
        let link = self.attach(Attach { properties: symbols(properties), ..attach }).await?;
        self.connection.add_credit(link, 50);
        Ok(link)
    }

    /// Lets a link bring so many messages more.
    pub async fn credit(&mut self, link: LinkId, more: u32) {
        self.connection.add_credit(link, more);
        self.flush().await;
    }

    /// Hands a message to a link, without waiting for more than credit.
    pub async fn put(&mut self, link: LinkId, message: &Message, settled: bool) -> DeliveryId {
        while self.connection.may_send(link) == 0 {
            let credit =
                |event: &Event| matches!(event, Event::Credit { link: of, .. } if *of == link).then_some(());
            self.until(credit).await;
        }
        self.connection.send(link, message, settled).expect("it is sent")
    }

    /// Sends a message, and gives what became of it.
    pub async fn send(&mut self, link: LinkId, message: &Message) -> Outcome {
        let sent = self.put(link, message, false).await;
        self.outcome(link, sent).await
    }

    /// What became of a message.
    pub async fn outcome(&mut self, link: LinkId, sent: DeliveryId) -> Outcome {
        self.until(|event| match event {
            Event::Settled { link: of, delivery, outcome } if *of == link && *delivery == sent => {
                Some(outcome.clone())
            }
            _ => None,
        })
        .await
        .expect("an outcome")
    }

    /// The next message on a link.
    pub async fn message(&mut self, link: LinkId) -> (DeliveryId, Message) {
        self.until(|event| match event {
            Event::Message { link: of, delivery, message, .. } if *of == link => {
                Some((*delivery, Message::clone(message)))
            }
            _ => None,
        })
        .await
    }

    /// Tells what became of a message that has come.
    pub async fn settle(&mut self, link: LinkId, delivery: DeliveryId, outcome: Outcome) {
        self.connection.settle(link, delivery, outcome);
        self.flush().await;
    }

    /// Ends a link.
    pub async fn detach(&mut self, link: LinkId) {
        self.connection.detach(link, None);
        self.flush().await;
    }

    /// Waits until the service ends a link, and gives why.
    pub async fn detached(&mut self, link: LinkId) -> Option<Error> {
        self.until(|event| match event {
            Event::Detached { link: of, error, .. } if *of == link => Some(error.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the end of the connection.
    pub async fn ended(mut self) -> String {
        let wait = async {
            loop {
                match step(&mut self.connection, &mut self.stream).await {
                    Ok(Event::Closed(error)) => return format!("{error:?}"),
                    Ok(_) => {}
                    Err(error) => return error,
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("it ends in time")
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        self.connection.close(None);
        self.flush().await;
        self.until(|event| matches!(event, Event::Closed(_)).then_some(())).await;
    }

    /// Shows a token at `$cbs`, and gives the status of the answer.
    pub async fn put_token(&mut self, audience: &str, token: &str) -> i64 {
        let sender = self.sender("$cbs", &[]).await.expect("a link to $cbs");
        let receiver = self.receiver("$cbs", &[]).await.expect("a link from $cbs");
        let message = Message {
            properties: Properties {
                message_id: Some("1".into()),
                reply_to: Some("cbs".into()),
                ..Properties::default()
            },
            application_properties: vec![
                ("operation".into(), "put-token".into()),
                ("type".into(), "servicebus.windows.net:sastoken".into()),
                ("name".into(), audience.into()),
            ],
            body: Body::Value(token.into()),
            ..Message::default()
        };
        assert_eq!(self.send(sender, &message).await, Outcome::Accepted);
        let (_, answer) = self.message(receiver).await;
        self.detach(sender).await;
        self.detach(receiver).await;
        get(&answer.application_properties, "status-code").and_then(Value::as_i64).expect("a status")
    }

    async fn flush(&mut self) {
        flush(&mut self.connection, &mut self.stream).await.expect("still connected");
    }
}

fn symbols(properties: &[(&str, &str)]) -> Vec<(Value, Value)> {
    properties.iter().map(|(name, value)| (Value::symbol(*name), (*value).into())).collect()
}

async fn flush(connection: &mut Connection, stream: &mut TlsStream<TcpStream>) -> Result<(), String> {
    loop {
        let output = connection.output();
        if output.is_empty() {
            return Ok(());
        }
        let count = stream.write(output).await.map_err(|error| error.to_string())?;
        output.advance(count);
        stream.flush().await.map_err(|error| error.to_string())?;
    }
}

/// The next thing that happens.
async fn step(connection: &mut Connection, stream: &mut TlsStream<TcpStream>) -> Result<Event, String> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if let Some(event) = connection.poll_event() {
            return Ok(event);
        }
        flush(connection, stream).await?;
        let count = tokio::time::timeout(PATIENCE, stream.read(&mut buffer))
            .await
            .map_err(|_| "nothing comes".to_owned())?
            .map_err(|error| error.to_string())?;
        if count == 0 {
            return Err("the service closed the stream".into());
        }
        // An error comes as an event, too.
        let _ = connection.input(&buffer[..count]);
    }
}
