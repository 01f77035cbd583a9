//! The port of the services without a port: whatever a client may say there after its handshake.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::{Builder, Runtime},
    sync::{Semaphore, watch},
};

use super::replay::Replay;
use crate::{
    clock::SystemClock,
    front::{Arrival, Reception},
    hub::{Authentication, DeviceCapabilities},
    net::websocket::WebSocketStream,
    options::EmulatorOptions,
    rest,
    security::keys::SymmetricKey,
    services::Services,
    state::Kept,
};

/// The bytes that come out of a WebSocket into which these go in, and the error that ends them. `echoed`: sent back
/// meanwhile, to the end.
pub fn websocket<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    is_echoed: bool,
) -> (Vec<u8>, Option<String>) {
    let (_sender, shutdown) = watch::channel(false);
    let mut stream = WebSocketStream::new(Replay::new(pieces), Vec::new(), shutdown);
    let all = async {
        let mut got = Vec::new();
        let mut buffer = [0; 4096];
        let error = loop {
            let mut buffer = ReadBuf::new(&mut buffer);
            let read = poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer)).await;
            match read {
                Ok(()) if buffer.filled().is_empty() => break None,
                Ok(()) => got.extend_from_slice(buffer.filled()),
                Err(error) => break Some(error.to_string()),
            }
            if is_echoed {
                let bytes = buffer.filled();
                // A client may have closed already.
                let _ = poll_fn(|context| Pin::new(&mut stream).poll_write(context, bytes)).await;
            }
        };
        let _ = poll_fn(|context| Pin::new(&mut stream).poll_shutdown(context)).await;
        (got, error)
    };
    let mut all = pin!(all);
    let mut context = Context::from_waker(Waker::noop());
    // Nothing in it waits for anything but its next turn.
    loop {
        if let Poll::Ready(outcome) = all.as_mut().poll(&mut context) {
            return outcome;
        }
    }
}

/// For one client: whoever waits, for a device to come, is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Far from now.
const EXPIRY: u64 = 4_000_000_000;

/// A DPS, a hub with a device `d` and one of MQTT 5 behind the port of the services.
pub struct Web {
    runtime: Runtime,
    reception: Reception,
    _shutdown: watch::Sender<bool>,
    /// Words that stand for tokens, which nobody finds by chance.
    tokens: Vec<(&'static str, String)>,
}

impl Web {
    /// New ones; `None` where they can't be made.
    pub fn new() -> Option<Self> {
        let options = EmulatorOptions {
            hub_names: vec!["hub-1".into(), "hub-5=mqtt5".into()],
            ..EmulatorOptions::default()
        };
        let services = Services::new(&options, Arc::new(SystemClock), Kept::default()).ok()?;
        let hub = services.dps.hub("hub-1")?;
        let keys = Authentication::sas(SymmetricKey::default());
        let device = hub.create_device("d", keys, DeviceCapabilities::default()).ok()?;
        let device_key = device.authentication.symmetric_key.primary_key?;
        let mut tokens = vec![("DEVICE", token(&format!("{}%2Fdevices%2Fd", hub.name()), &device_key, "")?)];
        let policies =
            [("DPS", services.dps.host_name(), services.dps.access()), ("HUB", hub.name(), hub.access())];
        for (word, host, access) in policies {
            let owner = access.iter().next()?;
            let key = owner.keys.iter().next()?;
            tokens.push((word, token(host, key, &format!("&skn={}", owner.name))?));
        }
        let (sender, shutdown) = watch::channel(false);
        let reception = Reception { dps: services.dps, events: services.events, shutdown };
        let runtime = Builder::new_current_thread().enable_time().build().ok()?;
        Some(Self { runtime, reception, _shutdown: sender, tokens })
    }

    /// Puts right tokens in the place of the words `{DEVICE}`, `{DPS}` and `{HUB}`.
    pub fn with_tokens(&self, bytes: &[u8]) -> Vec<u8> {
        let mut rest = bytes;
        let mut all = Vec::with_capacity(bytes.len());
        while let Some((&first, behind)) = rest.split_first() {
            let found = self.tokens.iter().find_map(|(word, token)| {
                let behind = behind.strip_prefix(word.as_bytes())?.strip_prefix(b"}")?;
                (first == b'{').then_some((token, behind))
            });
            match found {
                Some((token, behind)) => {
                    all.extend_from_slice(token.as_bytes());
                    rest = behind;
                }
                None => {
                    all.push(first);
                    rest = behind;
                }
            }
        }
        all
    }

    /// Has one client say this, and then no more; whether it came to an end in time.
    pub fn talk<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let arrival = Arrival {
            name: "client".into(),
            server_name: Some("hub-1.azure-devices.net".into()),
            certificates: Arc::default(),
        };
        let places = Arc::new(Semaphore::new(1));
        let conversation = rest::converse(Replay::new(pieces), arrival, self.reception.clone(), places);
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, conversation).await.is_ok() })
    }
}

/// A token for a resource, which is percent-encoded already.
fn token(resource: &str, key: &str, rest: &str) -> Option<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key).ok()?);
    let signature = STANDARD.encode(hmac::sign(&key, format!("{resource}\n{EXPIRY}").as_bytes()));
    let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
    Some(format!("SharedAccessSignature sr={resource}&sig={signature}&se={EXPIRY}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fuzzed_is_reached() {
        let (got, error) = websocket([&[0x82, 0x82, 0, 0, 0, 0, 7, 8][..], &[0x81, 0x80, 0, 0, 0, 0]], true);
        assert_eq!(got, [7, 8]);
        assert!(error.is_some_and(|error| error.contains("text")));
        let web = Web::new().expect("services");
        let mut events = web.reception.events.subscribe();
        let call = "GET /devices?api-version=2021-04-12 HTTP/1.1\r\nHost: hub-1.azure-devices.net\r\nAuthorization: {HUB}\r\n\r\n";
        assert!(web.talk([&web.with_tokens(call.as_bytes())[..]]));
        let upgrade = "GET /$iothub/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
        let said = [upgrade.as_bytes(), &[0x82, 0x82, 0, 0, 0, 0, 0xc0, 0]].concat();
        assert!(web.talk(said.chunks(7)));
        let told = events.try_next().expect("events are kept").expect("an event").kind.to_string();
        assert!(told.contains("not CONNECT"), "{told}");
    }
}
