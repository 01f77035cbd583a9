//! How far an attempt to connect has come: name resolution and TCP, TLS, MQTT.
//!
//! The MQTT client makes name resolution, TCP, TLS and CONNECT in one go. TLS, however, asks its session store for
//! something to resume just before its first byte, and tells it what was agreed when the server has answered: a store
//! that watches itself being asked knows the stage.

use std::fmt;
use std::sync::Arc;

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, NamedGroup};
use tokio::sync::watch;

/// Sessions kept: DPS and hub, and room for a move.
const SESSIONS: usize = 4;

/// How far an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Resolving the name, connecting TCP.
    Reaching,
    /// TLS has said its first word.
    Securing,
    /// The server has answered in TLS; what is left is its end, and MQTT's CONNECT.
    Greeting,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reaching => "no TCP connection (name resolution, or the way there)",
            Self::Securing => "TCP stands, but the server does not answer TLS",
            Self::Greeting => "TLS stands, but the server does not answer CONNECT",
        })
    }
}

/// TLS with the device's certificate, for one connection at a time.
#[derive(Debug, Clone)]
pub struct Tls {
    /// For the MQTT client.
    pub config: Arc<ClientConfig>,
    stage: watch::Sender<Stage>,
}

impl Tls {
    /// Makes the configuration watch its stages, and resume its sessions.
    pub fn new(mut config: ClientConfig) -> Self {
        let stage = watch::Sender::new(Stage::Reaching);
        let cache = ClientSessionMemoryCache::new(SESSIONS);
        config.resumption =
            rustls::client::Resumption::store(Arc::new(WatchedStore { cache, stage: stage.clone() }));
        Self { config: Arc::new(config), stage }
    }

    /// A new attempt begins; its stages can be awaited.
    pub fn begin(&self) -> watch::Receiver<Stage> {
        self.stage.send_replace(Stage::Reaching);
        self.stage.subscribe()
    }
}

#[derive(Debug)]
struct WatchedStore {
    cache: ClientSessionMemoryCache,
    stage: watch::Sender<Stage>,
}

impl WatchedStore {
    fn reached(&self, stage: Stage) {
        self.stage.send_if_modified(|current| {
            let further = stage > *current;
            *current = stage.max(*current);
            further
        });
    }
}

impl ClientSessionStore for WatchedStore {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.reached(Stage::Greeting);
        self.cache.set_kx_hint(server_name, group);
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.reached(Stage::Securing);
        self.cache.kx_hint(server_name)
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.reached(Stage::Greeting);
        self.cache.set_tls12_session(server_name, value);
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.reached(Stage::Securing);
        self.cache.tls12_session(server_name)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        self.cache.remove_tls12_session(server_name);
    }

    fn insert_tls13_ticket(&self, server_name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.reached(Stage::Greeting);
        self.cache.insert_tls13_ticket(server_name, value);
    }

    fn take_tls13_ticket(&self, server_name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.reached(Stage::Securing);
        self.cache.take_tls13_ticket(server_name)
    }
}
